// Where the last second of several rows went, as of one: each of them has the same part in it.

import { timeAt } from "./times.js";

/** As `timeAt`, of all these rows that have spent any; null where none has. */
export function timeOfAll(frame, rows) {
  const times = rows.map((index) => timeAt(frame, index)).filter((time) => time !== null);
  if (times.length === 0) return null;
  const sums = new Map(); // by word, in the order in which a row has them
  for (const { parts } of times) {
    for (const { word, look, share } of parts) {
      const sum = sums.get(word) ?? { word, look, share: 0 };
      sums.set(word, { ...sum, share: sum.share + share });
    }
  }
  const parts = wholes([...sums.values()].map((part) => ({ ...part, share: part.share / times.length })));
  const perS = times.reduce((sum, time) => sum + time.perS, 0);
  const busy = times.reduce((sum, time) => sum + time.busy, 0) / times.length;
  return { text: JSON.stringify([perS, parts]), perS, busy: Math.round(busy), parts };
}

/** Whole per cents with the same sum: what rounding has taken goes to those that have lost the most by it. */
function wholes(parts) {
  const left = Math.round(parts.reduce((sum, { share }) => sum + share - Math.floor(share), 0));
  const lost = [...parts].sort((one, other) => (other.share % 1) - (one.share % 1)).slice(0, left);
  const rounded = parts.map((part) => ({ ...part, share: Math.floor(part.share) + (lost.includes(part) ? 1 : 0) }));
  return rounded.filter(({ share }) => share > 0);
}
