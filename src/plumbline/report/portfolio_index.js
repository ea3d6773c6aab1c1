// Draws those rows of a long list of portfolios that are seen; sorts and filters all of them.
(() => {
  "use strict";

  const ROW_HEIGHT = 34;
  const SPARE = 15;
  const MINUS = "\u2212";
  const MISSING = "n/a";
  const CONDITION = /^([a-z]+)(<=|>=|<|>|=)([-\u2212]?\d+(?:\.\d+)?)%?$/;

  const block = document.getElementById("portfolios-data");
  const table = document.getElementById("list");
  if (!table) return;
  const data = JSON.parse(block.textContent);
  const { columns } = data;
  const box = table.closest(".list");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const field = document.getElementById("filter");
  const shown = document.getElementById("shown");

  const raw = (column, row) => {
    if (column.like !== undefined) return raw(columns[column.like], row);
    if (column.y) return column.y[row];
    return column.words ? column.words[column.at[row]] : column.text[row];
  };
  const formats = columns.map((column) => new Intl.NumberFormat("en", {
    minimumFractionDigits: column.digits ?? 0, maximumFractionDigits: column.digits ?? 0,
  }));
  const written = (at, row) => {
    const value = raw(columns[at], row);
    if (value === null || value === "") return MISSING;
    if (!columns[at].y) return value;
    if (Math.abs(value) >= 1e15) return String(value).replace("-", MINUS);
    return formats[at].format(value + 0).replace("-", MINUS);
  };
  const page = (row) => data.pages[row] ?? `${raw(columns[0], row)}.html`;

  const texts = columns.filter((column) => !column.y);
  const searched = Array.from({ length: data.n }, (_, row) =>
    texts.map((column) => raw(column, row) ?? "").join("\n").toLowerCase());
  const all = Array.from({ length: data.n }, (_, row) => row);
  let rows = all;
  let order = null;

  const TESTS = {
    "<": (a, b) => a < b, ">": (a, b) => a > b, "=": (a, b) => a === b,
    "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
  };

  function wanted(word) {
    const [, name, sign, text] = CONDITION.exec(word) ?? [];
    const column = name && columns.find((one) => one.y && one.filter === name);
    if (!column) return (row) => searched[row].includes(word);
    const limit = Number(text.replace(MINUS, "-"));
    return (row) => column.y[row] !== null && TESTS[sign](column.y[row], limit);
  }

  function choose() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const tests = words.map(wanted);
    rows = tests.length ? all.filter((row) => tests.every((test) => test(row))) : all.slice();
    if (order) {
      const column = columns[order.at];
      const values = all.map((row) => raw(column, row));
      const compare = column.y ? (a, b) => a - b : new Intl.Collator("en", { numeric: true }).compare;
      const empty = (value) => value === null || value === "";
      rows.sort((i, j) => {
        const [a, b] = [values[i], values[j]];
        if (empty(a) || empty(b)) return empty(a) - empty(b) || i - j;
        return (order.down ? compare(b, a) : compare(a, b)) || i - j;
      });
    }
    const n = rows.length.toLocaleString("en");
    shown.textContent = `${n} of ${data.n.toLocaleString("en")} portfolios`;
    table.setAttribute("aria-rowcount", String(rows.length + 1));
    box.scrollTop = 0;
    draw(true);
  }

  function line(at) {
    const row = rows[at];
    const drawn = document.createElement("tr");
    drawn.setAttribute("aria-rowindex", String(at + 2));
    columns.forEach((column, i) => {
      const cell = document.createElement(i ? "td" : "th");
      const text = written(i, row);
      cell.className = column.y ? "num" : "text";
      if (text === MISSING) cell.classList.add("missing");
      const target = i ? "" : page(row);
      if (i === 0) cell.scope = "row";
      if (target) {
        const link = document.createElement("a");
        link.href = target;
        link.textContent = text;
        cell.append(link);
      } else cell.textContent = text;
      if (!column.y) cell.title = text;
      drawn.append(cell);
    });
    return drawn;
  }

  function space(height) {
    const row = document.createElement("tr");
    const cell = document.createElement("td");
    row.setAttribute("aria-hidden", "true");
    row.className = "space";
    cell.colSpan = columns.length;
    cell.style.height = `${height}px`;
    row.append(cell);
    return row;
  }

  let drawn = [-1, -1];
  function draw(afresh) {
    const first = Math.max(0, Math.floor(box.scrollTop / ROW_HEIGHT) - SPARE);
    const n = Math.ceil(box.clientHeight / ROW_HEIGHT) + 2 * SPARE;
    const end = Math.min(rows.length, first + n);
    if (!afresh && first === drawn[0] && end === drawn[1]) return;
    drawn = [first, end];
    const lines = [];
    for (let at = first; at < end; at += 1) lines.push(line(at));
    if (first) lines.unshift(space(first * ROW_HEIGHT));
    if (end < rows.length) lines.push(space((rows.length - end) * ROW_HEIGHT));
    body.replaceChildren(...lines);
  }

  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = columns[at].y ? head.getAttribute("aria-sort") !== "descending"
        : head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      order = { at, down };
      choose();
    });
  });

  // Columns keep their width while rows come and go.
  function longest(at) {
    const column = columns[at];
    if (!column.y) {
      return Math.min(26, all.reduce((most, row) => Math.max(most, written(at, row).length), 0));
    }
    const ends = all.reduce(([low, high], row) => [
      column.y[row] < column.y[low] ? row : low, column.y[row] > column.y[high] ? row : high,
    ], [0, 0]);
    return Math.max(MISSING.length, ...ends.map((row) => written(at, row).length));
  }
  const group = document.createElement("colgroup");
  columns.forEach((column, at) => {
    const col = document.createElement("col");
    const words = column.heading.split(" ").map((word) => 0.92 * word.length);
    col.style.width = `calc(${data.n ? Math.max(longest(at), ...words) : 8}ch + 21px)`;
    group.append(col);
  });
  table.caption.after(group);
  table.classList.add("sortable");
  box.classList.add("live");
  document.querySelector(".filter").hidden = false;
  field.addEventListener("input", choose);
  let waiting = false;
  box.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(false); });
  }, { passive: true });
  new ResizeObserver(() => draw(false)).observe(box);
  choose();
})();
