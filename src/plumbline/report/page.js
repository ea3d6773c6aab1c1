// Replaces the static time series of a report by interactive ones and keeps them on one span.
(() => {
  "use strict";

  const PLOT_HEIGHT = 240;
  const PANEL_HEIGHT = 210;
  const LEVEL_HEIGHT = 38;
  const LEVEL_MARGIN = 0.4;
  const LEVEL_WIDTH = 84;
  const LEVEL_LETTERS = 12;
  const BAND_WIDTH = 12;
  const YEAR = 365.25 * 86400;
  const DAYS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30, 60, 90, 120, 180, 365, 730, 1825, 3650, 9125];
  const DAY_STEPS = DAYS.map((days) => days * 86400);
  const MINUS = "\u2212";

  const shared = JSON.parse(document.getElementById("bars").textContent);

  const decode = (text, unit) => {
    let sum = 0;
    const parts = text.split(",").flatMap((part) => {
      const [value, times] = part.split("*");
      return Array(Number(times ?? 1)).fill(value);
    });
    return parts.map((part) => (part === "" ? null : (sum += Number(part)) / unit));
  };
  const bars = decode(shared.since, 1).map((bar) => shared.first + bar * shared.unit);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value, digits) =>
    (Number(value.toFixed(digits)) + 0)
      .toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      .replace("-", MINUS);
  const shortened = (name) =>
    name.length > LEVEL_LETTERS ? `${name.slice(0, LEVEL_LETTERS - 1)}…` : name;
  const moment = (seconds) => {
    const text = new Date(seconds * 1000).toISOString();
    return shared.intraday ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
  };

  const plots = [];
  let full = [Infinity, -Infinity];

  function readPlot(box) {
    const spec = JSON.parse(box.querySelector("script").textContent);
    const at = spec.at === "" ? bars.map((_, i) => i) : decode(spec.at, 1);
    const x = at.map((i) => bars[i]);
    const y = spec.lines.map((line) => decode(line.y, 10 ** spec.digits));
    return { box, spec, data: [x, ...y] };
  }

  function options(plot, width) {
    const { spec } = plot;
    const axis = { stroke: () => colour("--soft"), font: "12px system-ui, sans-serif" };
    const grid = { stroke: () => colour("--grid"), width: 1 };
    const ticks = { show: false };
    return {
      width,
      height: spec.levels ? 60 + LEVEL_HEIGHT * spec.levels.length
        : plot.box.closest(".panels") ? PANEL_HEIGHT : PLOT_HEIGHT,
      padding: [10, 6, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: "bars", scales: ["x", null], setSeries: false },
        drag: { x: true, y: false, setScale: false },
        points: { size: 7 },
        bind: { dblclick: () => () => show(full) },
      },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: {
        x: { time: true, range: () => plot.span },
        y: spec.levels ? { range: [-LEVEL_MARGIN, spec.levels.length - 1 + LEVEL_MARGIN] } : {
          range: (_, low, high) => uPlot.rangeNum(Math.min(low ?? 0, 0), Math.max(high ?? 1, 0), 0.08, true),
        },
      },
      axes: [
        {
          ...axis, grid: { show: false }, ticks, space: width > 640 ? 72 : 42, size: 34,
          incrs: shared.intraday ? undefined : DAY_STEPS,
          values: [
            [YEAR - 86400, "{YYYY}", null, null, null, null, null, null, 1],
            [86400 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
            [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
            [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
          ],
        },
        spec.levels ? {
          ...axis, grid, ticks, size: LEVEL_WIDTH, gap: 6,
          splits: () => spec.levels.map((_, i) => i),
          values: () => spec.levels.map((name) => shortened(name)),
        } : {
          ...axis, grid, ticks, size: 50, space: 34, gap: 6,
          values: (_, marks) => {
            const step = marks.length > 1 ? Math.abs(marks[1] - marks[0]) : 1;
            let digits = 0;
            while (digits < 6 && Math.abs(Number(step.toFixed(digits)) - step) > step * 1e-6) digits += 1;
            return marks.map((mark) => number(mark, digits));
          },
        },
      ],
      series: [
        {},
        ...spec.lines.map((line) => ({
          label: line.label, scale: "y", points: { show: false },
          stroke: () => colour(line.colour),
          paths: spec.levels && bands,
          width: spec.levels ? BAND_WIDTH : line.dashed ? 1.2 : 1.6, dash: line.dashed ? [4, 3] : undefined,
        })),
      ],
      hooks: {
        drawAxes: spec.levels ? [] : [drawZero],
        setCursor: [(u) => readOut(plot, u.cursor.idx)],
        setSelect: [(u) => choose(u)],
      },
    };
  }

  // A level stroke from each bar to the next; the last bar of a run is at least a pixel wide.
  function bands(u, series, first, last) {
    const [x, y] = [u.data[0], u.data[series]];
    const stroke = new Path2D();
    for (let i = first; i <= last; i += 1) {
      if (y[i] === null || y[i] === undefined) continue;
      let end = i;
      while (end < last && y[end + 1] === y[i]) end += 1;
      const left = u.valToPos(x[i], "x", true);
      const right = u.valToPos(x[Math.min(end + 1, last)], "x", true);
      const at = u.valToPos(y[i], "y", true);
      stroke.moveTo(left, at);
      stroke.lineTo(Math.max(right, left + uPlot.pxRatio), at);
      i = end;
    }
    return { stroke, fill: null, clip: null, band: null, gaps: null, flags: 0 };
  }

  function drawZero(u) {
    const y = Math.round(u.valToPos(0, "y", true)) + 0.5;
    const { left, top, width, height } = u.bbox;
    if (!(y >= top && y <= top + height)) return;
    u.ctx.save();
    u.ctx.strokeStyle = colour("--axis");
    u.ctx.lineWidth = uPlot.pxRatio;
    u.ctx.beginPath();
    u.ctx.moveTo(left, y);
    u.ctx.lineTo(left + width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }

  function choose(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    const span = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (u.valToIdx(span[1]) - u.valToIdx(span[0]) >= 2) show(span);
  }

  function show(span) {
    for (const plot of plots) {
      plot.span = span;
      plot.chart.setScale("x", { min: span[0], max: span[1] });
    }
    for (const button of document.querySelectorAll(".spans button")) {
      const years = Number(button.dataset.years);
      const same = years ? span[0] === full[1] - years * YEAR && span[1] === full[1] : span === full;
      button.setAttribute("aria-pressed", String(same));
    }
  }

  function readOut(plot, index) {
    const { spec, data } = plot;
    const at = index ?? null;
    const unit = spec.unit ? ` ${spec.unit}` : "";
    plot.outputs.forEach((output, i) => {
      const value = at === null ? null : data[i + 1][at] ?? null;
      const shown = () => (spec.levels ? spec.levels[value] : number(value, spec.digits) + unit);
      const read = value === null ? "n/a" : shown();
      output.textContent = at === null ? plot.atRest[i] : read;
    });
    plot.when.textContent = at === null ? "last value" : moment(data[0][at]);
  }

  function enableKeys(plot) {
    plot.box.querySelectorAll(".keys button").forEach((button, i) => {
      button.disabled = false;
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        plot.chart.setSeries(i + 1, { show: on });
      });
    });
  }

  function enableKeyboard(plot, holder) {
    const { data, chart } = plot;
    holder.tabIndex = 0;
    holder.setAttribute("role", "group");
    const words = "arrow keys move along the bars, Home and End go to the ends, Escape shows all";
    holder.setAttribute("aria-label", `${plot.box.dataset.label}; ${words}`);
    holder.addEventListener("keydown", (event) => {
      const last = data[0].length - 1;
      const from = chart.cursor.idx ?? last;
      const pace = event.shiftKey ? 20 : 1;
      const to = { ArrowLeft: from - pace, ArrowRight: from + pace, Home: 0, End: last }[event.key];
      if (event.key === "Escape") show(full);
      if (to === undefined) return;
      event.preventDefault();
      const x = data[0][Math.min(Math.max(to, 0), last)];
      chart.setCursor({ left: chart.valToPos(x, "x"), top: 10 });
    });
    holder.addEventListener("focus", () => plot.when.setAttribute("aria-live", "polite"));
    holder.addEventListener("blur", () => {
      plot.when.removeAttribute("aria-live");
      chart.setCursor({ left: -10, top: -10 });
    });
  }

  function enableTouch(plot) {
    const { over } = plot.chart;
    over.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") return;
      const edge = over.getBoundingClientRect();
      plot.chart.setCursor({ left: event.clientX - edge.left, top: event.clientY - edge.top });
    });
  }

  function start(plot) {
    const holder = document.createElement("div");
    holder.className = "plot-live";
    plot.box.append(holder);
    plot.outputs = plot.box.querySelectorAll("output");
    plot.atRest = [...plot.outputs].map((output) => output.textContent);
    plot.when = plot.box.querySelector(".when");
    plot.span = full;
    plot.box.classList.add("live");
    plot.chart = new uPlot(options(plot, holder.clientWidth), plot.data, holder);
    enableKeys(plot);
    enableKeyboard(plot, holder);
    enableTouch(plot);
    new ResizeObserver(() => {
      const width = holder.clientWidth;
      if (width && width !== plot.chart.width) plot.chart.setSize({ width, height: plot.chart.height });
    }).observe(holder);
  }

  function spanButtons(figure) {
    const group = document.createElement("div");
    group.className = "spans";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Span of all time series");
    for (const years of [0, 5, 3, 1]) {
      if (years * YEAR >= full[1] - full[0]) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.years = String(years);
      button.textContent = years ? `${years}y` : "All";
      button.setAttribute("aria-pressed", String(!years));
      button.addEventListener("click", () => show(years ? [full[1] - years * YEAR, full[1]] : full));
      group.append(button);
    }
    const hint = document.createElement("span");
    hint.textContent = matchMedia("(hover: hover)").matches ? "drag to zoom, double-click for all" : "";
    group.append(hint);
    const heading = figure.querySelector(":scope > h3");
    if (heading) heading.after(group);
    else figure.prepend(group);
  }

  function followSections() {
    const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((e) => e.isIntersecting)) {
        links.forEach((link) => link.removeAttribute("aria-current"));
        const link = links.get(entry.target.id);
        link?.setAttribute("aria-current", "true");
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    document.querySelectorAll("section[id], footer[id]").forEach((part) => watcher.observe(part));
  }

  function enableSorting(table) {
    const [body] = table.tBodies;
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, column) => {
      const text = row.cells[column].textContent.trim();
      const value = Number(text.replace(MINUS, "-").replace(/[<,]/g, ""));
      return text === "n/a" ? null : Number.isNaN(value) ? text : value;
    };
    const order = (a, b) => (typeof a === "string" ? a.localeCompare(String(b), "en") : a - b);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          return down ? order(b, a) : order(a, b);
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  document.querySelectorAll("table.sortable").forEach(enableSorting);
  for (const box of document.querySelectorAll(".plot")) plots.push(readPlot(box));
  for (const { data } of plots) full = [Math.min(full[0], data[0][0]), Math.max(full[1], data[0].at(-1))];
  if (full[0] === full[1]) full = [full[0] - 43200, full[1] + 43200];
  plots.forEach(start);
  new Set(plots.map((plot) => plot.box.closest("figure"))).forEach(spanButtons);
  followSections();

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of plots) plot.chart.redraw(false);
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
  });
})();
