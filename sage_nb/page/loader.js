// Loads the page of a view. Each widget brings only this; script and style are loaded once for all views of a
// document, from a helper widget that they share, or from the kernel. Imports nothing: it is a module of its own.

const PATIENCE_MS = 3_000;

const shelf = (globalThis[Symbol.for("sage-nb pages")] ??= new Map()); // by digest: a promise of {render, sheet}

/** The page as the helper widget carries it. */
async function fromAssets(model) {
  const assets = await model.widget_manager.get_model(model.get("assets").replace("IPY_MODEL_", ""));
  const packed = assets.get("packed");
  if (!packed) throw new Error("it carries nothing");
  return packed;
}

/** The page as the kernel answers. */
function fromKernel(model, digest) {
  return new Promise((resolve) => {
    const receive = (content) => {
      if (content?.page !== digest) return;
      model.off("msg:custom", receive);
      resolve(content.packed);
    };
    model.on("msg:custom", receive);
    model.send({ cmd: "page" });
  });
}

/** From the helper; where a notebook cannot find it, or is in no hurry to say so, from the kernel. */
function packedPage(model, digest) {
  return new Promise((resolve) => {
    const ask = () => resolve(fromKernel(model, digest));
    const timer = setTimeout(ask, PATIENCE_MS);
    const found = (packed) => {
      clearTimeout(timer);
      resolve(packed);
    };
    fromAssets(model).then(found, () => {
      clearTimeout(timer);
      ask();
    });
  });
}

async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (each) => each.charCodeAt(0));
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const { esm, css } = await new Response(text).json();
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  try {
    const { render } = (await import(address)).default;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    return { render, sheet };
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** The page, made by whichever view has its text first. */
async function pageOf(model) {
  const digest = model.get("page");
  if (!shelf.has(digest)) {
    const packed = await packedPage(model, digest);
    if (!shelf.has(digest)) {
      const page = unpacked(packed);
      shelf.set(digest, page);
      page.catch(() => shelf.delete(digest));
    }
  }
  return shelf.get(digest);
}

/** Let the style sheet hold where `el` is: in the document, or in a shadow of it. */
function dress(el, sheet) {
  const root = el.getRootNode();
  const place = root instanceof ShadowRoot ? root : el.ownerDocument;
  if (!place.adoptedStyleSheets.includes(sheet)) place.adoptedStyleSheets = [...place.adoptedStyleSheets, sheet];
}

async function render({ model, el, signal }) {
  let page;
  try {
    page = await pageOf(model);
  } catch (error) {
    el.textContent = `This view could not be loaded (${error}). Run its cell again.`;
    return undefined;
  }
  if (signal?.aborted) return undefined; // closed meanwhile
  dress(el, page.sheet);
  requestAnimationFrame(() => dress(el, page.sheet)); // by then it has its place, if it had none before
  return page.render({ model, el });
}

export default { render };
