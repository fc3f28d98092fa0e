// A slider and a box for every size that is set, and a line for every one that follows. Gives what shows them anew.
"use strict";
globalThis.controlsOf = ({ byId, data, free, known, make, put, set, soon, start }) => {
  const { grouped, written } = formulas;
  const controls = new Map();
  const most = (name) => { const v = Number(start.get(name)); return v <= 8 ? 64 : 2 ** Math.ceil(Math.log2(v * 16)); };
  const step = (v) => { const unit = 2 ** Math.max(0, Math.floor(Math.log2(v)) - 3); return Math.max(1, Math.round(v / unit) * unit); };
  // 4096, 4_096, 4k = 4000, 4Ki = 4096, 1.5k, 8B, 2**12, as `numeral` of keys.py reads them
  function parseSize(said) {
    const power = /^\s*(\d+)(?:\*\*|\^)(\d{1,3})\s*$/.exec(said);
    if (power) return BigInt(power[1]) ** BigInt(power[2]);
    const match = /^\s*(\d[\d_,]*)(?:\.(\d+))?\s*(?:([kmgtpe])(i?)b?|(b))?\s*$/i.exec(said);
    if (!match) return null;
    const [, whole, part = "", prefix, binary, billions] = match;
    const rank = { k: 1n, m: 2n, b: 3n, g: 3n, t: 4n, p: 5n, e: 6n }[(prefix ?? billions)?.toLowerCase()] ?? 0n;
    const all = BigInt(whole.replace(/[_,]/g, "") + part) * (binary ? 1024n : 1000n) ** rank, below = 10n ** BigInt(part.length);
    return all % below ? null : all / below;
  }
  for (const name of free) {
    const why = data.fixed?.[name], high = Math.log2(most(name));
    const box = make("input", { class: "box", id: `n-${name}`, inputmode: "numeric", autocomplete: "off", "aria-label": `${name}, ${data.legend[name] ?? "size"}` });
    const slider = make("input", { type: "range", id: `r-${name}`, min: 0, max: 1000, step: 1, "aria-label": `${name}, slider` });
    const label = make("label", { for: `n-${name}` }, make("span", {}, make("b", { class: "mono" }, name), " ", make("i", {}, data.legend[name] ?? "")), box);
    const holder = make("div", { class: "size" }, label, slider);
    if (why) { box.disabled = slider.disabled = true; holder.append(make("p", {}, why)); }
    slider.oninput = () => { set.set(name, BigInt(step(2 ** ((Number(slider.value) / 1000) * high)))); soon(); };
    box.onchange = () => { const n = parseSize(box.value); if (n !== null && n > 0n) set.set(name, n); box.value = set.get(name); soon(); };
    byId("controls").append(holder);
    controls.set(name, () => {
      if (box !== document.activeElement) box.value = set.get(name); // what somebody types or moves is left alone
      if (slider !== document.activeElement) slider.value = String(Math.round((1000 * Math.log2(Number(set.get(name)))) / high));
      slider.setAttribute("aria-valuetext", grouped(set.get(name)));
    });
  }
  for (const [name, rule] of Object.entries(data.derived)) {
    const shown = make("b", {});
    byId("derived").append(make("p", { class: "mono" }, `${name} = ${written(rule)} = `, shown));
    controls.set(name, () => put(shown, known().has(name) ? grouped(known().get(name)) : "–"));
  }
  return () => controls.forEach((show) => show());
};
