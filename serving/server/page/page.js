"use strict";
// Every text of a server, a model or a file goes through textContent; nothing is ever parsed as markup.
(() => {
  const LOOK_EVERY_MS = 3000;
  const SCORES_SHOWN = 10;
  const NUMPY_NAMES = { DT_HALF: "float16", DT_FLOAT: "float32", DT_DOUBLE: "float64" };
  const at = (id) => document.getElementById(id);
  let token = null; // here and nowhere else
  let models = [];
  let shown = "";
  let next = 0;
  const signatures = new Map(); // by model and version

  function node(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made[name] = value;
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  class Refused extends Error {
    constructor(status, message) {
      super(message);
      this.status = status;
    }
  }

  async function fetched(path, options = {}) {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    let response;
    try {
      response = await fetch(path, { ...options, headers, cache: "no-store" });
    } catch {
      throw new Refused(0, "The server doesn't answer.");
    }
    const text = await response.text();
    if (response.ok) return text;
    let message = `HTTP status ${response.status}`;
    try {
      message = JSON.parse(text).error ?? message;
    } catch {
      // not a model server's error; the status has to do
    }
    throw new Refused(response.status, message);
  }

  // TF Serving writes NaN and Infinity as such, which JSON.parse doesn't take; strings are left as they are.
  const parsed = (text) =>
    JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (found) => (found[0] === '"' ? found : `"${found}"`)));

  const pathOf = (model, version) =>
    `/v1/models/${encodeURIComponent(model)}${version === "" ? "" : `/versions/${encodeURIComponent(version)}`}`;

  // What is served

  async function look() {
    clearTimeout(next);
    try {
      const text = await fetched("/roadworthy/models");
      at("unlock").hidden = true;
      at("main").hidden = false;
      if (text !== shown) {
        shown = text;
        models = JSON.parse(text).models;
        signatures.clear();
        showModels();
        await chooseModel();
      }
    } catch (error) {
      if (error.status === 401 || error.status === 403) return askForToken(error);
      at("summary").textContent = error.message;
      shown = "";
    }
    next = setTimeout(look, LOOK_EVERY_MS);
  }

  function askForToken(error) {
    at("main").hidden = true;
    at("unlock").hidden = false;
    at("summary").textContent = "Locked";
    at("unlock-fault").textContent = token === null ? "" : error.message;
    token = null;
    shown = "";
  }

  function showModels() {
    const ready = models.filter((model) => available(model).length > 0).length;
    at("summary").textContent =
      models.length === 0 ? "No models yet" : `${ready} of ${models.length} ${models.length === 1 ? "model" : "models"} ready`;
    at("models").replaceChildren(
      ...(models.length === 0
        ? [node("p", { className: "quiet" }, "Nothing is served yet. The first version that is pushed shows up here by itself.")]
        : models.map(modelBox)),
    );
  }

  const available = (model) => model.versions.filter((version) => version.state === "AVAILABLE");

  function modelBox(model) {
    const detail = node("div");
    const details = node("details", {}, node("summary", {}, "Signatures"), detail);
    details.addEventListener("toggle", () => details.open && describe(model.name, detail));
    return node(
      "article",
      { className: "model" },
      node("h3", {}, model.name),
      model.versions.length === 0 ? node("p", { className: "quiet" }, "No version yet.") : null,
      node("ul", { className: "versions" }, ...model.versions.map(versionLine)),
      available(model).length > 0 ? details : null,
    );
  }

  function versionLine(version) {
    const failed = version.state === "END" && version.error !== "";
    return node(
      "li",
      {},
      node("span", {}, `Version ${version.version}`),
      node("span", { className: `state ${failed ? "FAILED" : version.state}` }, failed ? "FAILED" : version.state),
      version.error === "" ? null : node("span", { className: "why" }, version.error),
    );
  }

  async function signaturesOf(model, version) {
    const key = JSON.stringify([model, version]);
    if (!signatures.has(key)) {
      const told = JSON.parse(await fetched(`${pathOf(model, version)}/metadata`));
      signatures.set(key, told.metadata.signature_def.signature_def);
    }
    return signatures.get(key);
  }

  async function describe(model, into) {
    try {
      const known = await signaturesOf(model, "");
      into.replaceChildren(...Object.keys(known).sort().map((name) => signatureTable(name, known[name])));
    } catch (error) {
      into.replaceChildren(node("p", { className: "fault" }, error.message));
    }
  }

  function signatureTable(name, signature) {
    const rows = (tensors, way) =>
      Object.keys(tensors).sort().map((key) =>
        node("tr", {}, node("td", {}, way), node("th", { scope: "row" }, key), node("td", {}, typeOf(tensors[key]))),
      );
    return node(
      "div",
      { className: "scroll" },
      node(
        "table",
        {},
        node("caption", {}, name),
        node("tbody", {}, ...rows(signature.inputs, "in"), ...rows(signature.outputs, "out")),
      ),
    );
  }

  const sizesOf = (tensor) =>
    tensor.tensor_shape?.unknown_rank ? null : (tensor.tensor_shape?.dim ?? []).map((dim) => Number(dim.size));

  function typeOf(tensor) {
    const sizes = sizesOf(tensor);
    const shape = sizes === null ? "any shape" : `[${sizes.map((size) => (size < 0 ? "…" : size)).join(", ")}]`;
    return `${NUMPY_NAMES[tensor.dtype] ?? tensor.dtype.replace("DT_", "").toLowerCase()} ${shape}`;
  }

  // What is asked

  function fill(select, values, texts = values) {
    const before = select.value;
    select.replaceChildren(...values.map((value, index) => node("option", { value }, texts[index])));
    if (values.includes(before)) select.value = before;
  }

  async function chooseModel() {
    const ready = models.filter((model) => available(model).length > 0);
    fill(at("model"), ready.map((model) => model.name));
    const model = ready.find((one) => one.name === at("model").value);
    const numbers = model === undefined ? [] : available(model).map((version) => version.version);
    fill(at("version"), ["", ...numbers], ["latest", ...numbers]);
    at("send").disabled = model === undefined;
    await chooseVersion();
  }

  async function chooseVersion() {
    let known = {};
    try {
      if (at("model").value !== "") known = await signaturesOf(at("model").value, at("version").value);
    } catch (error) {
      showFault(error);
    }
    // The one for people first.
    const names = Object.keys(known).sort((a, b) => (b === "image_bytes") - (a === "image_bytes") || (a < b ? -1 : 1));
    fill(at("signature"), names);
    showInputs(known[at("signature").value]);
  }

  function showInputs(signature) {
    const told = JSON.stringify(signature?.inputs ?? null);
    if (at("inputs").dataset.told === told) return; // keep what was typed when nothing has changed
    at("inputs").dataset.told = told;
    const inputs = signature?.inputs ?? {};
    at("inputs").replaceChildren(...Object.keys(inputs).sort().map((name) => inputField(name, inputs[name])));
  }

  function inputField(name, tensor) {
    const legend = node("legend", {}, `${name} `, node("small", {}, typeOf(tensor)));
    const field = node("fieldset", {}, legend, ...(tensor.dtype === "DT_STRING" ? stringField(name, tensor) : numberField(name, tensor)));
    field.dataset.name = name;
    return field;
  }

  function numberField(name, tensor) {
    const box = node("textarea", { value: JSON.stringify(sample(tensor)), spellcheck: false });
    box.setAttribute("aria-label", `${name} as JSON`);
    box.dataset.kind = "json";
    return [box, node("p", { className: "quiet" }, "Numbers as JSON, in nested lists.")];
  }

  function sample(tensor) {
    const zero = tensor.dtype === "DT_BOOL" ? false : 0;
    const nested = ([size, ...inner]) => (size === undefined ? zero : Array(Math.min(Math.abs(size), 64)).fill(nested(inner)));
    return nested(sizesOf(tensor) ?? [1]);
  }

  function stringField(name, tensor) {
    const file = fileField(name);
    const text = node("textarea", { hidden: true });
    text.setAttribute("aria-label", `${name} as text`);
    text.dataset.kind = "text";
    const kinds = ["Image or file", "Text"].map((label, index) => {
      const radio = node("input", { type: "radio", name: `kind-${name}`, checked: index === 0 });
      radio.addEventListener("change", () => {
        file.hidden = index !== 0;
        text.hidden = index === 0;
      });
      return node("label", {}, radio, label);
    });
    for (const part of [file, text]) part.dataset.rank = (sizesOf(tensor) ?? [1]).length;
    return [node("div", { className: "kinds" }, ...kinds), file, text];
  }

  function fileField(name) {
    const input = node("input", { type: "file" });
    input.setAttribute("aria-label", `${name}: choose an image or a file`);
    const told = node("span", {}, "Choose an image, or drop one here");
    const drop = node("label", { className: "drop" }, input, told);
    drop.dataset.kind = "file";
    input.addEventListener("change", () => preview(drop, input.files[0], told));
    for (const kind of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files.length > 0) {
          input.files = event.dataTransfer.files;
          preview(drop, input.files[0], told);
        }
      });
    }
    return drop;
  }

  function preview(drop, file, told) {
    for (const image of drop.querySelectorAll("img")) {
      URL.revokeObjectURL(image.src);
      image.remove();
    }
    told.textContent = file === undefined ? "Choose an image, or drop one here" : `${file.name}, ${bytes(file.size)}`;
    if (file?.type.startsWith("image/")) {
      const image = node("img", { src: URL.createObjectURL(file), alt: "" });
      image.addEventListener("error", () => image.remove());
      drop.prepend(image);
    }
  }

  const bytes = (count) => (count < 1000 ? `${count} B` : count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`);

  async function valueOf(field) {
    const part = [...field.querySelectorAll("[data-kind]")].find((one) => !one.hidden);
    const batched = (value) => Array.from({ length: Number(part.dataset.rank) }).reduce((inner) => [inner], value);
    if (part.dataset.kind === "text") return batched(part.value);
    if (part.dataset.kind === "file") {
      const file = part.querySelector("input").files[0];
      if (file === undefined) throw new Refused(0, `${field.dataset.name}: choose a file first.`);
      return batched({ b64: await base64(file) });
    }
    try {
      return JSON.parse(part.value);
    } catch (error) {
      throw new Refused(0, `${field.dataset.name} must be JSON. ${error.message}`);
    }
  }

  function base64(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
      reader.addEventListener("error", () => reject(new Refused(0, `${file.name} can't be read.`)));
      reader.readAsDataURL(file);
    });
  }

  async function ask(event) {
    event.preventDefault();
    at("send").disabled = true;
    try {
      const inputs = {};
      for (const field of at("inputs").children) inputs[field.dataset.name] = await valueOf(field);
      const model = at("model").value;
      const body = JSON.stringify({ signature_name: at("signature").value, inputs });
      const started = performance.now();
      const text = await fetched(`${pathOf(model, at("version").value)}:predict`, { method: "POST", body });
      showAnswer(model, text, performance.now() - started);
    } catch (error) {
      if (error.status === 401) askForToken(error);
      else showFault(error);
    } finally {
      at("send").disabled = false;
    }
  }

  // What is answered

  function showFault(error) {
    at("answer").hidden = false;
    at("answer").replaceChildren(node("p", { className: "fault" }, error.message));
  }

  function showAnswer(model, text, milliseconds) {
    const outputs = parsed(text).outputs;
    const took = node("span", { className: "quiet", id: "took" }, `${milliseconds.toFixed(1)} ms there and back`);
    const raw = node("pre", { tabIndex: 0 }, JSON.stringify(outputs, null, 1));
    const classes = classesOf(model, outputs);
    at("answer").hidden = false;
    at("answer").replaceChildren(
      node("div", { className: "verdict" }, classes === null ? node("h3", {}, "Answer") : node("strong", { id: "label" }, classes[0].label), took),
      ...(classes === null ? [raw] : [scoreList(classes), node("details", {}, node("summary", {}, "As JSON"), raw)]),
    );
  }

  // The classes of the first row, best first, if the answer is a classifier's.
  function classesOf(model, outputs) {
    const scores = outputs?.scores?.[0];
    if (!Array.isArray(scores) || scores.length === 0 || !scores.every(Number.isFinite)) return null;
    const labels = models.find((one) => one.name === model)?.labels ?? [];
    const name = (index) => labels[index] ?? `class ${index}`;
    const classes = scores.map((score, index) => ({ score, label: name(index) })).sort((a, b) => b.score - a.score);
    const best = outputs.label?.[0];
    if (typeof best === "string") classes[0].label = best;
    return classes;
  }

  function scoreList(classes) {
    const rest = classes.length - SCORES_SHOWN;
    return node(
      "ol",
      { className: "scores" },
      ...classes.slice(0, SCORES_SHOWN).map(({ label, score }) => {
        const bar = node("i", { ariaHidden: "true" });
        bar.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
        return node("li", {}, bar, node("span", {}, label), node("span", {}, score.toFixed(3)));
      }),
      rest > 0 ? node("li", { className: "quiet" }, node("span", {}, `and ${rest} more`)) : null,
    );
  }

  at("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    token = at("token").value.trim();
    at("token").value = "";
    look();
  });
  at("model").addEventListener("change", chooseModel);
  at("version").addEventListener("change", chooseVersion);
  at("signature").addEventListener("change", chooseVersion);
  at("ask").addEventListener("submit", ask);
  look();
})();
