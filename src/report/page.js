// Charts that tell their numbers on hover and by keyboard. Without this script the page has the same
// figures as pictures and all numbers as tables. Texts of the data are set as text, never as HTML.
"use strict";
(() => {
  const runs = JSON.parse(document.getElementById("data").textContent);
  // Okabe and Ito, without yellow.
  const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f7f7f"];
  const charts = {
    curves: {
      title: "Accuracy as directions are ablated", x: "ablated", y: ["top1", "loss"], low: "top1_low", high: "top1_high",
      series: ["basis", "order"], apart: ["draw"],
    },
    spectrum: { title: "Variance explained", x: "count", y: ["cumulative", "explained"], series: ["basis"], apart: ["draw"] },
    convergence: { title: "Convergence", x: "iteration", y: ["excess", "value"], series: ["solver"], apart: ["start"] },
  };

  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  const records = ([columns, ...rows]) => rows.map((row) => Object.fromEntries(columns.map((name, i) => {
    const number = row[i] === "" ? NaN : Number(row[i]);
    return [name, Number.isNaN(number) ? row[i] : number];
  })));

  const menu = (name, values, change) => {
    const label = element("label", name + " ");
    const select = element("select");
    for (const value of values) select.append(element("option", String(value), { value }));
    select.addEventListener("change", () => change(select.value));
    label.append(select);
    return label;
  };

  function chart(name, rows, place) {
    const how = charts[name];
    const frame = element("section", "", { class: "chart", tabindex: "0", role: "group" });
    frame.setAttribute("aria-label", how.title + ". Arrow keys move through its points.");
    const taps = [...new Set(rows.map((row) => row.tap))];
    const measures = how.y.filter((key) => rows.some((row) => typeof row[key] === "number"));
    let tap = taps[0];
    let measure = measures[0];
    let at = 0;
    let points = [];
    const controls = element("p");
    const drawing = element("div");
    const said = element("output", "", { "aria-live": "polite" });
    const label = (row) => how.series.map((key) => row[key]).join(", ");
    const line = (row) => [...how.series, ...how.apart].map((key) => row[key]).join(", ");
    const tell = (row) => `${line(row)}: ${how.x} ${row[how.x]}, ${measure} ${Number(row[measure].toPrecision(6))}`;

    function draw() {
      points = rows.filter((row) => row.tap === tap && typeof row[measure] === "number");
      at = Math.min(at, points.length - 1);
      const band = how.low && measure === "top1" && points.some((row) => typeof row[how.low] === "number");
      const width = Math.max(280, Math.min(900, frame.clientWidth - 24));
      drawing.replaceChildren(Plot.plot({
        width, height: Math.min(420, width * 0.6), marginLeft: 60, grid: true,
        style: { background: "transparent", fontSize: "13px" },
        color: { legend: true, range: colours, domain: [...new Set(points.map(label))] },
        x: { label: how.x }, y: { label: measure },
        marks: [
          ...(band ? [Plot.areaY(points, { x: how.x, y1: how.low, y2: how.high, z: line, fill: label, fillOpacity: 0.15 })] : []),
          Plot.line(points, { x: how.x, y: measure, stroke: label, z: line, strokeWidth: 2 }),
          ...(points.length ? [Plot.dot([points[at]], { x: how.x, y: measure, r: 6, stroke: "currentColor", strokeWidth: 2 })] : []),
          Plot.tip(points, Plot.pointer({ x: how.x, y: measure, title: tell })),
        ],
      }));
    }

    if (taps.length > 1) controls.append(menu("tap", taps, (value) => { tap = value; draw(); }));
    if (measures.length > 1) controls.append(menu("measure", measures, (value) => { measure = value; draw(); }));
    frame.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -points.length, End: points.length }[event.key];
      if (step === undefined || event.target !== frame || points.length === 0) return;
      event.preventDefault();
      at = Math.max(0, Math.min(points.length - 1, at + step));
      said.textContent = tell(points[at]);
      draw();
    });
    frame.append(element("h4", how.title), controls, drawing, said);
    place.append(frame);
    draw();
  }

  for (const place of document.querySelectorAll(".charts")) {
    const run = runs[Number(place.dataset.run)];
    for (const name of Object.keys(charts)) {
      if (run.tables[name]) chart(name, records(run.tables[name]), place);
    }
  }
})();
