// The living part of a page: the report's own formulas, evaluated anew whenever a size is changed.
"use strict";
(() => {
  const { evaluate, written, text, top, below, grouped, rounded } = formulas;
  const data = JSON.parse(document.getElementById("report").textContent);
  const byId = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...inner) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...inner);
    return node;
  };
  const put = (node, value) => { if (node.textContent !== value) node.textContent = value; };
  const repeatsParams = (column) => column !== "params" && data.total[column].formula === data.total.params?.formula;
  const columns = Object.keys(data.total).filter((column) => data.total[column].formula !== "0" && !repeatsParams(column));

  const short = (x, unit) => rounded(x, unit, data.prefixes);
  const unitOf = (column) => data.columns[column].unit;

  const { free, start, set, resolve, same } = sizesOf(data);
  let sizes = new Map();
  const known = new Map(); // of equal formulas each is evaluated once for a change
  const value = (formula) => {
    if (!known.has(formula)) known.set(formula, evaluate(formula, sizes));
    return known.get(formula);
  };

  // rows: the tree of modules
  const rows = data.rows.map((row, index) => ({ row, index, inner: [], above: null, open: row.depth < 1, cells: [], nodes: {} }));
  const places = new Map(rows.map((one) => [one.row.path, one]));
  for (const one of rows) {
    one.above = places.get(one.row.path.split(".").slice(0, -1).join(".")) ?? null;
    one.above?.inner.push(one);
  }
  const ui = { numbers: false, formulas: false, sort: "", search: "" };
  const kind = (row) => `k-${row.role}`;

  function drawTree() {
    const head = byId("head");
    head.append(make("th", { scope: "col" }, "Module"), make("th", { scope: "col" }, "Result"));
    for (const column of columns) {
      const order = make("button", { type: "button", title: "sort by this column" }, data.columns[column].title);
      order.onclick = () => { ui.sort = ui.sort === column ? "" : column; arrange(); };
      head.append(make("th", { scope: "col" }, order));
    }
    for (const one of rows) drawRow(one);
    arrange();
  }
  function drawRow(one) {
    const { row, nodes } = one;
    nodes.fold = make("span", { class: "fold", "aria-hidden": "true" });
    const name = make("td", { role: "gridcell", class: `in${Math.min(row.depth, 9)}` }, nodes.fold, make("span", { class: `dot ${kind(row)}` }), row.path.split(".").at(-1));
    nodes.runs = make("span", { class: "runs" });
    if (row.repeat.formula !== (one.above?.row.repeat.formula ?? "1")) name.append(nodes.runs);
    nodes.shape = make("span", { class: "mono" });
    nodes.second = make("span", { class: "second mono" });
    nodes.tr = make("tr", { role: "row", tabindex: "-1", "aria-level": row.depth + 1, "data-path": row.path }, name, make("td", { role: "gridcell" }, nodes.shape, nodes.second));
    for (const column of columns) {
      const cell = { value: make("span"), formula: make("span", { class: "second mono" }), bar: make("i", { class: kind(row) }) };
      const td = make("td", { role: "gridcell" });
      if (row[column]) td.append(cell.value, cell.formula, make("div", { class: "bar" }, cell.bar));
      one.cells.push(cell);
      nodes.tr.append(td);
    }
    nodes.tr.onclick = (event) => { if (one.inner.length && event.target === nodes.fold) toggle(one); focus(one); };
    nodes.tr.ondblclick = () => toggle(one);
    nodes.tr.onmouseenter = () => light(row.path, true);
    nodes.tr.onmouseleave = () => light(row.path, false);
  }
  const shown = (one) => {
    if (ui.search) return one.row.path.toLowerCase().includes(ui.search) || one.row.block.toLowerCase().includes(ui.search);
    for (let a = one.above; a; a = a.above) if (!a.open) return false;
    return true;
  };
  function arrange() {
    const within = (list) => (ui.sort ? [...list].sort((a, b) => compare(cost(b, ui.sort), cost(a, ui.sort))) : list)
      .flatMap((one) => [one, ...within(one.inner)]);
    const order = within(rows.filter((one) => !one.above)).filter(shown);
    byId("rows").replaceChildren(...order.map((one) => one.nodes.tr));
    for (const one of order) {
      const fold = one.inner.length && !ui.search;
      put(one.nodes.fold, fold ? (one.open ? "▾" : "▸") : "");
      if (fold) one.nodes.tr.setAttribute("aria-expanded", one.open);
      else one.nodes.tr.removeAttribute("aria-expanded");
    }
    if (!order.some((one) => one.nodes.tr.tabIndex === 0) && order[0]) order[0].nodes.tr.tabIndex = 0;
    ui.order = order;
    for (const th of byId("head").children) th.removeAttribute("aria-sort");
    if (ui.sort) byId("head").children[2 + columns.indexOf(ui.sort)].setAttribute("aria-sort", "descending");
  }
  const compare = (a, b) => (top(a) * below(b) < top(b) * below(a) ? -1 : top(a) * below(b) > top(b) * below(a) ? 1 : 0);
  const cost = (one, column) => {
    const { row } = one;
    return row[column] ? formulas.times(value(row[column].formula), value(row.instances[column].formula)) : 0n;
  };
  function toggle(one) { one.open = !one.open; arrange(); remember(); focus(one); }
  function focus(one) {
    for (const other of rows) other.nodes.tr.tabIndex = -1;
    one.nodes.tr.tabIndex = 0;
    one.nodes.tr.focus({ preventScroll: true });
    detail(one);
  }
  function detail(one) {
    ui.chosen = one;
    const { row } = one;
    const lines = [make("p", {}, make("b", {}, row.path), ` (${row.block})`)];
    if (row.equation) lines.push(make("p", { class: "mono" }, row.equation + (row.source ? `   (${row.source})` : "")));
    for (const column of columns) if (row[column] && row[column].formula !== "0") {
      const formula = row[column].formula;
      const numbers = written(formula.replace(/[\p{L}_][\p{L}\p{N}_]*/gu, (n) => (sizes.has(n) ? sizes.get(n) : n)));
      lines.push(make("p", {}, `${data.columns[column].title} of one: `, make("span", { class: "mono" }, `${written(formula)} = ${numbers.replaceAll("·", " × ")} = ${grouped(value(formula))}`)));
    }
    byId("detail").replaceChildren(...lines);
  }

  // the figure: boxes bear the paths of their rows
  const boxes = new Map();
  for (const node of document.querySelectorAll("#figure g.node, #figure g.cluster")) {
    const path = node.id.replace(/^shape:/, "");
    boxes.set(path, [...(boxes.get(path) ?? []), node]);
    node.onmouseenter = () => light(path, true);
    node.onmouseleave = () => light(path, false);
    node.onclick = () => { const one = places.get(path); if (one) { for (let a = one.above; a; a = a.above) a.open = true; arrange(); focus(one); } };
  }
  function light(path, on) {
    for (const node of boxes.get(path) ?? []) node.classList.toggle("lit", on);
    places.get(path)?.nodes.tr.classList.toggle("lit", on);
  }
  let labels = [], showSizes;
  const runs = (one) => {
    const all = value(one.row.repeat.formula), outer = one.above ? value(one.above.row.repeat.formula) : 1n;
    return formulas.divided(all, outer);
  };

  // everything that a number depends on
  function update() {
    known.clear();
    try { sizes = resolve(set); put(byId("why"), ""); } catch (error) { put(byId("why"), error.message); showSizes(); return false; }
    for (const column of columns) {
      const total = value(data.total[column].formula), card = byId(`card-${column}`);
      put(card.children[0], short(total, unitOf(column)));
      put(card.children[2], grouped(total));
    }
    for (const one of rows) {
      const { row, nodes } = one, dims = row.output.dims;
      const letters = `(${dims.map(written).join(", ")})`, numbers = `(${dims.map((d) => shownSize(d)).join(", ")})`;
      put(nodes.shape, ui.numbers ? numbers : letters);
      put(nodes.second, ui.numbers ? letters : numbers);
      put(nodes.runs, `× ${grouped(runs(one))}`);
      columns.forEach((column, i) => {
        if (!row[column]) return;
        const all = cost(one, column), total = value(data.total[column].formula), cell = one.cells[i];
        put(cell.value, short(all, unitOf(column)));
        cell.value.title = `${grouped(all)} in all, ${grouped(value(row[column].formula))} of one`;
        put(cell.formula, ui.formulas && row[column].formula !== "0" ? written(row[column].formula) : "");
        cell.bar.style.width = total ? `${Math.min(100, (100 * Number(top(all) * below(total))) / Number(below(all) * top(total)))}%` : "0";
      });
    }
    showSizes();
    const first = same(set);
    for (const { node, was, now } of labels) put(node, first ? was : now());
    kinds();
    if (ui.chosen) detail(ui.chosen);
    return true;
  }
  const shownSize = (dim) => { try { return text(value(dim)); } catch { return written(dim); } };
  function kinds() {
    const column = byId("column").value, total = value(data.total[column].formula);
    const parts = Object.entries(data.kinds ?? {}).filter(([, costs]) => costs[column]);
    const bar = byId("stack"), legend = byId("legend");
    bar.replaceChildren(); legend.replaceChildren();
    for (const [name, costs] of parts) {
      const part = value(costs[column].formula);
      if (!top(part) || !top(total)) continue;
      const share = (100 * Number(top(part) * below(total))) / Number(below(part) * top(total));
      const piece = make("i", { class: `k-${name}`, title: `${name}: ${short(part, unitOf(column))}` });
      piece.style.width = `${share}%`;
      bar.append(piece);
      legend.append(make("span", {}, make("span", { class: `dot k-${name}` }), `${name.replace("_", "-")} `, make("b", {}, `${share.toFixed(1)} %`)));
    }
  }

  let waiting = false;
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; if (update()) remember(); }); } };

  // the state is in the address: a link is an experiment
  function remember() {
    const state = new URLSearchParams();
    for (const [name, size] of set) if (size !== start.get(name)) state.set(name, size);
    if (ui.numbers) state.set("numbers", "1");
    const open = rows.filter((one) => one.open !== one.row.depth < 1).map((one) => one.row.path);
    if (open.length) state.set("open", open.join(" "));
    history.replaceState(null, "", String(state) ? `#${state}` : location.pathname + location.search);
  }
  function recall() {
    set.clear();
    for (const [name, size] of start) set.set(name, size);
    ui.numbers = false;
    for (const one of rows) one.open = one.row.depth < 1;
    for (const [name, said] of new URLSearchParams(location.hash.slice(1))) {
      if (start.has(name) && /^\d+$/.test(said) && BigInt(said) > 0n) set.set(name, BigInt(said));
      if (name === "numbers") ui.numbers = said === "1";
      if (name === "open") for (const one of rows) if (said.split(" ").includes(one.row.path)) one.open = !(one.row.depth < 1);
    }
  }

  // copies and switches
  const markdown = () => {
    const head = ["Module", "Result", ...columns.map((c) => data.columns[c].title)];
    const safe = (s) => s.replace(/([\\|`*_<>[\]])/g, "\\$1");
    const lines = ui.order.map((one) => [`${"&emsp;".repeat(one.row.depth)}${safe(one.row.path.split(".").at(-1))}`, safe(one.nodes.shape.textContent), ...columns.map((c) => (one.row[c] ? grouped(cost(one, c)) : ""))]);
    return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n";
  };
  function copy(what, said) {
    const done = () => { put(byId("copied"), `${said} copied`); setTimeout(() => put(byId("copied"), ""), 2000); };
    navigator.clipboard ? navigator.clipboard.writeText(what).then(done, () => put(byId("copied"), what)) : put(byId("copied"), what);
  }
  const switchTheme = () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme:dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  const sayNumbers = () => byId("numbers").setAttribute("aria-pressed", ui.numbers);
  const numbers = () => { ui.numbers = !ui.numbers; sayNumbers(); update(); remember(); };
  const showFormulas = () => { ui.formulas = !ui.formulas; byId("formulas").setAttribute("aria-pressed", ui.formulas); update(); };
  const unfold = () => { const open = rows.some((one) => one.inner.length && !one.open); for (const one of rows) one.open = open && one.inner.length > 0; arrange(); remember(); };
  byId("numbers").onclick = numbers;
  byId("formulas").onclick = showFormulas;
  byId("unfold").onclick = unfold;
  byId("theme").onclick = switchTheme;
  byId("reset").onclick = () => { for (const [name, size] of start) set.set(name, size); soon(); };
  byId("link").onclick = () => copy(location.href, "link");
  byId("markdown").onclick = () => copy(markdown(), "Markdown");
  byId("search").oninput = (event) => { ui.search = event.target.value.trim().toLowerCase(); arrange(); };
  byId("column").onchange = kinds;
  byId("rows").onkeydown = (event) => {
    const one = places.get(event.target.dataset?.path), at = ui.order.indexOf(one);
    if (!one) return;
    const go = { ArrowDown: () => ui.order[at + 1], ArrowUp: () => ui.order[at - 1], Home: () => ui.order[0], End: () => ui.order.at(-1) }[event.key]?.();
    if (go) focus(go);
    else if (event.key === "ArrowRight" && one.inner.length) { if (one.open) focus(one.inner[0]); else toggle(one); }
    else if (event.key === "ArrowLeft") { if (one.open && one.inner.length) toggle(one); else if (one.above) focus(one.above); }
    else if (event.key === "Enter") toggle(one);
    else return;
    event.preventDefault();
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    ({ n: numbers, f: showFormulas, e: unfold, d: switchTheme, "/": () => { byId("search").focus(); event.preventDefault(); } })[event.key]?.();
  });
  addEventListener("hashchange", () => { recall(); sayNumbers(); arrange(); update(); });

  // start
  for (const column of Object.keys(data.total)) byId(`card-${column}`).hidden = !columns.includes(column);
  byId("column").append(...columns.map((column) => make("option", { value: column }, data.columns[column].title)));
  document.documentElement.classList.add("live");
  byId("living").hidden = false;
  document.querySelector(".print details").open = false;
  showSizes = controlsOf({ byId, data, free, known: () => sizes, make, put, set, soon, start });
  sizes = resolve(set);
  labels = labelsOf({ columns, data, known: () => sizes, places, runs, said: short, shownSize, value });
  recall();
  drawTree();
  sayNumbers();
  update();
  globalThis.shapeviz = {
    get sizes() { return Object.fromEntries([...sizes].map(([name, size]) => [name, String(size)])); },
    set(changed) {
      const before = new Map(set);
      for (const [name, size] of Object.entries(changed)) {
        if (!start.has(name)) throw Error(`${name} is no size that can be set: ${free.join(", ")}`);
        set.set(name, BigInt(size));
      }
      if (update()) { remember(); return; }
      const why = byId("why").textContent;
      set.clear();
      for (const [name, size] of before) set.set(name, size);
      update();
      throw Error(why);
    },
    total: (column) => text(value(data.total[column].formula)),
    row: (path, column) => text(value(places.get(path).row[column].formula)),
  };
})();
