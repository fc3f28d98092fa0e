// The sizes of a report: what is set, what follows from it, and what must hold of them for its formulas to be true.
"use strict";
globalThis.sizesOf = (data) => {
  const { evaluate, written, whole, text, top, below } = formulas;
  const free = Object.keys(data.sizes).filter((name) => !(name in data.derived));
  const start = new Map(free.map((name) => [name, BigInt(data.sizes[name])]));
  const set = new Map(start);
  function resolve(chosen) {
    const all = new Map(chosen);
    for (const [name, rule] of Object.entries(data.derived)) {
      if (all.has(name)) continue;
      let value;
      try { value = evaluate(rule, all); } catch (error) { if (error instanceof ReferenceError) continue; throw Error(error.message); }
      if (!whole(value)) throw Error(`${name} = ${written(rule)} = ${text(value)} is no integer: choose sizes that divide`);
      all.set(name, value);
    }
    for (const [name, why] of Object.entries(data.fixed ?? {}))
      if (name in data.sizes && all.get(name) !== BigInt(data.sizes[name])) throw Error(`${name} = ${data.sizes[name]} cannot be changed: ${why}`);
    for (const condition of data.conditions ?? []) {
      const held = condition.left === null ? same(chosen) : holds(condition, all);
      if (!held) throw Error(`${condition.text} is needed${condition.where ? `: the formulas hold for that alone, ${condition.where}` : ""}`);
    }
    return all;
  }
  const same = (chosen) => [...chosen].every(([name, value]) => start.get(name) === value);
  function holds({ left, sign, right }, all) {
    let a, b;
    try { a = evaluate(left, all); b = evaluate(right, all); } catch { return false; }
    const x = top(a) * below(b), y = top(b) * below(a);
    return { "<": x < y, "≤": x <= y, ">": x > y, "≥": x >= y, "=": x === y, "≠": x !== y }[sign];
  }
  return { free, start, set, resolve, same };
};
