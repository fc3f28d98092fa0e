// Formulas as SymPy reads them, evaluated exactly: over BigInt, and over fractions of them where something is divided.
// A text is parsed once, to a closure; nothing is ever handed to eval.
"use strict";
globalThis.formulas = (() => {
  const whole = (x) => typeof x === "bigint";
  const abs = (x) => (x < 0n ? -x : x);
  const gcd = (a, b) => { while (b) [a, b] = [b, a % b]; return abs(a); };
  const over = (n, d) => {
    if (d === 0n) throw new RangeError("a division by zero");
    if (d < 0n) [n, d] = [-n, -d];
    const g = gcd(n, d);
    return d === g ? n / g : { n: n / g, d: d / g };
  };
  const top = (x) => (whole(x) ? x : x.n);
  const below = (x) => (whole(x) ? 1n : x.d);
  const add = (a, b) => (whole(a) && whole(b) ? a + b : over(top(a) * below(b) + top(b) * below(a), below(a) * below(b)));
  const times = (a, b) => (whole(a) && whole(b) ? a * b : over(top(a) * top(b), below(a) * below(b)));
  const divided = (a, b) => over(top(a) * below(b), below(a) * top(b));
  const negative = (a) => (whole(a) ? -a : { n: -a.n, d: a.d });
  const power = (a, n) => {
    if (!whole(n)) throw new SyntaxError("a power that is no integer");
    return n < 0n ? over(below(a) ** -n, top(a) ** -n) : whole(a) ? a ** n : over(a.n ** n, a.d ** n);
  };
  const floor = (a) => (whole(a) ? a : a.n < 0n ? -((-a.n + a.d - 1n) / a.d) : a.n / a.d);
  const less = (a, b) => top(a) * below(b) < top(b) * below(a);
  const FUNCTIONS = {
    floor, ceiling: (a) => -floor(negative(a)),
    Min: (...all) => all.reduce((x, y) => (less(y, x) ? y : x)),
    Max: (...all) => all.reduce((x, y) => (less(x, y) ? y : x)),
  };
  const TOKEN = /\s*(?:(\d+)|([\p{L}_][\p{L}\p{N}\p{M}_]*)|(\*\*|[-+*/(),]))/uy;

  function tokens(text) {
    const found = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const at = TOKEN.lastIndex, match = TOKEN.exec(text);
      if (!match) throw new SyntaxError(`${text}: what is at ${at} is no part of a formula`);
      found.push({ number: match[1], name: match[2], sign: match[3] });
    }
    return found;
  }

  function parse(text) {
    const all = tokens(text);
    let i = 0;
    const sign = (...signs) => (all[i] && signs.includes(all[i].sign) ? all[i++].sign : null);
    const need = (wanted) => { if (!sign(wanted)) throw new SyntaxError(`${text}: ${wanted} is missing`); };
    function sum() {
      let left = product();
      for (let s; (s = sign("+", "-")); ) {
        const a = left, b = product();
        left = s === "+" ? (v) => add(a(v), b(v)) : (v) => add(a(v), negative(b(v)));
      }
      return left;
    }
    function product() {
      let left = signed();
      for (let s; (s = sign("*", "/")); ) {
        const a = left, b = signed();
        left = s === "*" ? (v) => times(a(v), b(v)) : (v) => divided(a(v), b(v));
      }
      return left;
    }
    function signed() {
      if (!sign("-")) return raised();
      const a = signed();
      return (v) => negative(a(v));
    }
    function raised() {
      const a = atom();
      if (!sign("**")) return a;
      const b = signed();
      return (v) => power(a(v), b(v));
    }
    function atom() {
      const token = all[i++];
      if (!token) throw new SyntaxError(`${text}: it ends too early`);
      if (token.number) { const n = BigInt(token.number); return () => n; }
      if (token.sign === "(") { const inner = sum(); need(")"); return inner; }
      if (!token.name) throw new SyntaxError(`${text}: ${token.sign} stands where a value should`);
      const name = token.name;
      if (!sign("(")) return (v) => { if (!v.has(name)) throw new ReferenceError(name); return v.get(name); };
      const call = FUNCTIONS[name];
      if (!call) throw new SyntaxError(`${text}: ${name} is no function`);
      const given = [sum()];
      while (sign(",")) given.push(sum());
      need(")");
      return (v) => call(...given.map((one) => one(v)));
    }
    const parsed = sum();
    if (i < all.length) throw new SyntaxError(`${text}: it goes on after its end`);
    return parsed;
  }

  const parsed = new Map();
  const compile = (text) => { if (!parsed.has(text)) parsed.set(text, parse(text)); return parsed.get(text); };
  const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const BRACKETS = { floor: ["⌊", "⌋"], ceiling: ["⌈", "⌉"], Min: ["min(", ")"], Max: ["max(", ")"] };

  // As people write it: h·d_k for h*d_k, S² for S**2, ⌈V/64⌉ for ceiling(V/64).
  function written(text) {
    const all = tokens(text), closing = [];
    let out = "";
    for (let i = 0; i < all.length; i++) {
      const { number, name, sign } = all[i];
      if (name && BRACKETS[name] && all[i + 1]?.sign === "(") { out += BRACKETS[name][0]; closing.push(BRACKETS[name][1]); i++; }
      else if (sign === "(") { out += "("; closing.push(")"); }
      else if (sign === ")") out += closing.pop();
      else if (sign === "**") { while (all[i + 1] && (all[i + 1].sign === "-" || all[i + 1].number)) {
        for (const c of all[++i].number ?? "-") out += RAISED[c];
        if (all[i].number) break;
      } }
      else if (sign === "*") out += "·";
      else if (sign === ",") out += ", ";
      else if ((sign === "+" || sign === "-") && out && !/[(⌊⌈]$/u.test(out)) out += ` ${sign} `;
      else out += number ?? name ?? sign;
    }
    return out;
  }
  // Numbers as people say them, rounded from exact ones, as `rounded` of wording.py does.
  const decimal = (x) => (Number((top(x) * 1000n) / below(x)) / 1000).toLocaleString("en", { maximumFractionDigits: 3 });
  const grouped = (x) => (whole(x) ? String(x).replace(/\B(?=(\d{3})+$)/g, ",") : decimal(x));
  const fixed = (hundredths) => `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`;
  function rounded(x, unit, prefixes) {
    if (!whole(x)) return `${decimal(x)} ${unit}`.trim();
    const step = unit === "B" ? 1024n : 1000n, names = prefixes[unit] ?? prefixes.FLOP;
    let power = 0;
    while (x >= step ** BigInt(power + 1) && power < names.length - 1) power++;
    if (power === 0) return unit === "B" ? `${x} B` : `${x}${unit in prefixes ? "" : ` ${unit}`}`;
    let hundredths = (x * 100n + step ** BigInt(power) / 2n) / step ** BigInt(power);
    if (unit !== "B" && hundredths >= 100000n && power < names.length - 1) { power++; hundredths = 100n; }
    return `${fixed(hundredths)} ${names[power]}${unit === "B" ? "iB" : unit in prefixes ? "" : ` ${unit}`}`;
  }
  const text = (x) => (whole(x) ? String(x) : `${x.n}/${x.d}`);
  return { grouped, rounded, divided, compile, evaluate: (formula, sizes) => compile(formula)(sizes), written, whole, text, less, add, times, top, below };
})();
