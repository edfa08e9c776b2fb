// What was asked of a graph that answers, in words: how much, how often, and what is under way longest.

import { counted, printable, rounded, seconds } from "./elements.js";

/** Short, for the line that says how the job stands; nothing before anything was asked. */
export function askWords(asks) {
  if (!asks || asks.asked === 0) return [];
  const rate = asks.per_s > 0 ? `, ${rounded(asks.per_s)}/s` : "";
  const open = asks.open > 0 ? [`${counted(asks.open)} open, ${seconds(asks.slowest_s)}`] : [];
  return [`${counted(asks.asked)} asked${rate}`, ...open];
}

/** All of it, as terms and what they are. */
export function askFacts(asks) {
  if (!asks) return [];
  const some = (number) => (number > 0 ? counted(number) : "");
  return [
    ["Asked", counted(asks.asked)],
    ["Answered", some(asks.answered)],
    ["No reply", some(asks.unanswered)],
    ["Failed", some(asks.failed)],
    ["Late replies", some(asks.late)],
    ["Ended per second", asks.per_s > 0 ? rounded(asks.per_s) : ""],
    ["Under way", some(asks.open)],
    ["The slowest", asks.open > 0 ? `${printable(asks.slowest, 200)}: ${seconds(asks.slowest_s)}` : ""],
  ];
}
