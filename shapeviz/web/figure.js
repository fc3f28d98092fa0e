// The labels of a figure. Of one only what is surely known is said anew: shapes, counts, sizes. What else holds a number
// is left out while the sizes are others than the first.
"use strict";
globalThis.labelsOf = ({ columns, data, known, places, runs, said: short, shownSize, value }) => {
  const { grouped } = formulas;
  const plain = (text) => text.replaceAll("\u00a0", " ").trim();
  const unitOf = (column) => data.columns[column].unit;
  const total = (column) => short(value(data.total[column].formula), unitOf(column));
  function ofRow(one, said) {
    const { row } = one, dims = row.output.dims;
    const chip = /^\(([^()]*)\)$/.exec(said)?.[1].split(", ");
    if (chip?.length === dims.length) return () => `(${chip.map((d, i) => (/^\d+$/.test(d) ? shownSize(dims[i]) : d)).join(", ")})`;
    if (/^× ?[\d,]+$/.test(said)) return () => ` × ${grouped(runs(one))} `;
    const counts = new Map(columns.filter((c) => row[c]).map((c) => [short(value(row[c].formula), unitOf(c)), c]));
    return () => said.split(/ *· */).map((piece) => (counts.has(piece) ? short(value(row[counts.get(piece)].formula), unitOf(counts.get(piece))) : piece))
      .filter((piece, i) => !/\d/.test(piece) || counts.has(said.split(/ *· */)[i])).join("   ·   ");
  }
  function ofModel(said) {
    const column = columns.find((c) => said.startsWith(total(c) + " "));
    if (column) {
      const rest = said.slice(total(column).length);
      return () => (/\d/.test(rest) ? "" : total(column) + rest);
    }
    const pieces = said.split(/ *· */).map((piece) => /^(\S+) = \d+$/.exec(piece)?.[1]);
    if (pieces.every((name) => known().has(name))) return () => pieces.map((name) => `${name} = ${known().get(name)}`).join("   ·   ");
    return () => (/^[=+]/.test(said) ? "" : said);
  }

  const labels = [];
  for (const node of document.querySelectorAll("#figure svg text")) {
    const was = node.textContent, text = plain(was), group = node.closest("g.node, g.cluster");
    if (!/\d/.test(text) || text.startsWith("derived")) continue;
    const one = places.get(group?.id.replace(/^shape:/, ""));
    labels.push({ node, was, now: one ? ofRow(one, text) : ofModel(text) });
  }
  return labels;
};
