"use strict";
// The only script of every page: sort a table, take it away as CSV, sift the list of runs, open tables for print.
// Without it each page is complete; nothing here asks anything of a network.
(() => {
  const words = document.documentElement.dataset;
  const each = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);
  const raw = cell => cell.dataset.v ?? cell.innerText.replace(/\s+/g, " ").trim();
  const isNumber = text => text !== "" && isFinite(text);

  function sortBy(table, index, header) {
    const down = header.getAttribute("aria-sort") !== "descending";
    each("thead th", th => th.removeAttribute("aria-sort"), table);
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map(row => [row, raw(row.cells[index])]);
    const order = new Intl.Collator(document.documentElement.lang, { numeric: true });
    rows.sort(([, a], [, b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");          // what is missing stays last either way
      const by = isNumber(a) && isNumber(b) ? a - b : order.compare(a, b);
      return down ? -by : by;
    });
    table.tBodies[0].append(...rows.map(([row]) => row));
  }

  function button(text, act, className) {
    const made = document.createElement("button");
    made.type = "button";
    if (className) made.className = className;
    made.append(...[].concat(text));
    made.addEventListener("click", act);
    return made;
  }

  function csvOf(table) {
    const field = cell => {
      let text = raw(cell);
      if (/^[=+\-@\t\r]/.test(text) && !isNumber(text)) text = "'" + text;  // a spreadsheet must not run it
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return "\ufeff" + [...table.rows].map(row => [...row.cells].map(field).join(",")).join("\r\n") + "\r\n";
  }

  function download(name, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = name + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 2000);
  }

  const sortable = table => each("thead th", (header, index) => {
    header.append(button([...header.childNodes], () => sortBy(table, index, header)));
  }, table);

  function takeaway(table) {
    const place = document.getElementById("after-" + table.id);
    if (place) place.prepend(button(words.csv, () => download(table.dataset.csv, csvOf(table)), "press"));
  }

  each("table[data-sort]", sortable);
  each("table[data-csv]", takeaway);

  const form = document.querySelector("form.sift");
  if (form) sift(form);

  function sift(form) {
    const shown = [...document.querySelectorAll(".log li")];
    shown.forEach(li => { li.words = (li.innerText + " " + (li.dataset.p || "")).toLowerCase(); });
    const older = JSON.parse(document.getElementById("older")?.textContent || "null");
    const place = document.querySelector("#more .log"), box = chooser(document.querySelector(".pick"));
    const read = () => Object.fromEntries(["q", "state", "flow", "from", "to"].map(k => [k, form.elements[k]?.value.trim() || ""]));
    const fits = (want, state, flow, day, text) =>
      (!want.state || want.state === state) && (!want.flow || want.flow === flow) && (!want.from || day >= want.from) &&
      (!want.to || day <= want.to) && want.q.toLowerCase().split(/\s+/).every(word => text.includes(word));

    // A run there: its id without century and punctuation, its kind, its text.
    const idOf = run => `20${run[0].slice(0, 6)}T${run[0].slice(6, 12)}Z-${run[0].slice(12)}`;
    const dayOf = run => `20${run[0].slice(0, 2)}-${run[0].slice(2, 4)}-${run[0].slice(4, 6)}`;

    function entry(run) {
      const [flow, flowWords, , shape, stateWords, given] = older.kinds[run[1]];
      const li = document.createElement("li"), state = document.createElement("span"), what = document.createElement("div");
      const title = document.createElement("h3"), link = document.createElement("a"), note = document.createElement("p");
      const when = document.createElement("div");
      state.className = "is is-" + shape;
      state.textContent = stateWords;
      link.href = flow + "/" + idOf(run) + "/index.html";
      link.textContent = flowWords;
      note.textContent = [run[2], given].filter(Boolean).join(" · ");
      what.className = "what";
      title.append(link);
      what.append(title, note);
      when.className = "when";
      when.textContent = `${dayOf(run)} ${run[0].slice(6, 8)}:${run[0].slice(8, 10)}`;
      li.append(state, what, when);
      box(li, flow, idOf(run));
      return li;
    }

    function show() {
      const want = read(), asked = Object.values(want).some(Boolean);
      let seen = 0;
      for (const li of shown) {
        const d = li.dataset;
        li.hidden = !fits(want, d.state, d.flow, d.day, li.words);
        seen += !li.hidden;
      }
      each("section.group", group => { group.hidden = !group.querySelector("li:not([hidden])"); });
      let total = shown.length;
      if (older) {
        total += older.runs.length;
        const found = !asked ? [] : older.runs.filter(run => {
          const [flow, flowWords, state, , stateWords, given] = older.kinds[run[1]];
          const text = [idOf(run), flow, flowWords, given, run[2], stateWords].join(" ").toLowerCase();
          return fits(want, state, flow, dayOf(run), text);
        });
        place.replaceChildren(...found.slice(0, 200).map(entry));
        document.getElementById("more").hidden = !found.length;
        seen += found.length;
      }
      form.querySelector("output").textContent = words.counted.replace("{n}", seen).replace("{total}", total);
    }

    shown.forEach(li => box(li, li.dataset.flow, li.dataset.p.split(" ")[0]));
    form.hidden = false;
    form.addEventListener("input", show);
    form.addEventListener("submit", event => event.preventDefault());
    show();
  }

  // Two runs of the gallery are ticked; where both lie on their flow's page of key numbers, that page compares them.
  function chooser(bar) {
    const flows = bar.dataset.flows.split(" ");
    let chosen = [];

    function tell() {
      const [a, b] = chosen.map(run => run.id).sort();
      each(".tick input", box => { box.checked = chosen.some(run => run.id === box.value); });
      bar.hidden = !chosen.length;
      bar.replaceChildren();
      if (!chosen.length) return;
      const text = document.createElement("p"), code = document.createElement("code"), link = document.createElement("a");
      text.textContent = !b ? bar.dataset.one : chosen[0].flow !== chosen[1].flow ? bar.dataset.other : "";
      if (b && !text.textContent) {
        code.textContent = `planning diff ${a} ${b} --page`;
        link.href = `${chosen[0].flow}/trends.html#${a},${b}`;
        link.textContent = bar.dataset.two.replace("{a}", a.slice(-6)).replace("{b}", b.slice(-6));
        text.append(flows.includes(chosen[0].flow) ? link : "", code);
      }
      bar.append(text, button(bar.dataset.clear, () => { chosen = []; tell(); }, "press"));
    }

    return (li, flow, id) => {
      const label = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox";
      box.value = id;
      box.checked = chosen.some(run => run.id === id);
      box.addEventListener("change", () => {
        chosen = box.checked ? [...chosen, { id, flow }].slice(-2) : chosen.filter(run => run.id !== id);
        tell();
      });
      label.className = "tick";
      label.append(box, bar.dataset.tick);
      li.querySelector(".when").append(label);
    };
  }

  const pair = document.getElementById("pair");
  if (pair) {
    const data = JSON.parse(document.getElementById("numbers").textContent);
    addEventListener("hashchange", () => comparePair(pair, data));
    comparePair(pair, data);
  }

  function comparePair(pair, data) {
    const ids = location.hash.slice(1).split(",").sort();
    const [a, b] = ids.map(id => data.runs.findIndex(run => run[0] === id));
    const command = pair.querySelector("code");
    pair.hidden = ids.length !== 2 || !ids.every(id => /^[0-9TZ]+-[0-9a-f]{6}$/.test(id));
    command.textContent = `planning diff ${ids[0]} ${ids[1]} --page`;
    const table = pair.querySelector("table"), known = a >= 0 && b >= 0 && !pair.hidden;
    pair.querySelector(".proof").hidden = !known;
    pair.querySelector(".gone").hidden = known;
    if (!known) return;
    const share = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" });
    const gap = document.documentElement.lang === "en" ? "\u202f%" : "%";
    const said = x => !isFinite(x) ? "\u2013" : share.format(x).replace("-", "\u2212").replace("%", gap);
    const rows = data.numbers.map(([label, step, values, texts]) => {
      const [x, y] = [values[a], values[b]];
      const by = x == null || y == null ? NaN : x === y ? 0 : (y - x) / Math.abs(x);
      return { by, cells: [[label], [step], [texts[a] ?? "\u2013", x], [texts[b] ?? "\u2013", y], [said(by), isFinite(by) ? by : ""]] };
    });
    rows.sort((r, s) => (Math.abs(s.by) || 0) - (Math.abs(r.by) || 0));
    table.tBodies[0].replaceChildren(...rows.map(row => {
      const tr = document.createElement("tr");
      tr.append(...row.cells.map(([text, value], i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        cell.dataset.l = table.tHead.rows[0].cells[i].textContent;
        if (i > 1) { cell.className = "right"; cell.dataset.v = value ?? ""; }
        cell.textContent = text;
        return cell;
      }));
      return tr;
    }));
    [a, b].forEach((run, i) => {
      const link = pair.querySelectorAll("h2 a")[i];
      link.href = data.runs[run][0] + "/index.html";
      link.textContent = data.runs[run][1];
      pair.querySelectorAll(".given")[i].textContent = data.runs[run][2];
    });
    const full = pair.querySelector(".full");
    full.hidden = !data.runs[b][3].includes(ids[0].slice(-6));
    full.firstElementChild.href = `${ids[1]}/diff-${ids[0].slice(-6)}.html`;
    full.nextElementSibling.hidden = !full.hidden;
  }

  addEventListener("beforeprint", () => each("details[data-print]:not([open])", d => { d.open = true; d.dataset.shut = ""; }));
  addEventListener("afterprint", () => each("details[data-shut]", d => { d.open = false; delete d.dataset.shut; }));
})();
