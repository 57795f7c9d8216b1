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

  each("table[data-sort]", table => each("thead th", (header, index) => {
    header.append(button([...header.childNodes], () => sortBy(table, index, header)));
  }, table));

  each("table[data-csv]", table => {
    const place = document.getElementById("after-" + table.id);
    if (place) place.prepend(button(words.csv, () => download(table.dataset.csv, csvOf(table)), "press"));
  });

  const form = document.querySelector("form.sift");
  if (form) sift(form);

  function sift(form) {
    const shown = [...document.querySelectorAll(".log li")];
    shown.forEach(li => { li.words = (li.innerText + " " + (li.dataset.p || "")).toLowerCase(); });
    const older = JSON.parse(document.getElementById("older")?.textContent || "null");
    const place = document.querySelector("#more .log");
    const read = () => Object.fromEntries(["q", "state", "flow", "from", "to"].map(k => [k, form.elements[k]?.value.trim() || ""]));
    const fits = (want, state, flow, day, text) =>
      (!want.state || want.state === state) && (!want.flow || want.flow === flow) && (!want.from || day >= want.from) &&
      (!want.to || day <= want.to) && want.q.toLowerCase().split(/\s+/).every(word => text.includes(word));

    function entry(run) {
      const li = document.createElement("li"), state = document.createElement("span"), what = document.createElement("div");
      const title = document.createElement("h3"), link = document.createElement("a"), note = document.createElement("p");
      const when = document.createElement("div");
      state.className = "is is-" + older.states[run[2]][1];
      state.textContent = older.states[run[2]][2];
      link.href = older.flows[run[1]][0] + "/" + run[0] + "/index.html";
      link.textContent = older.flows[run[1]][1];
      note.textContent = [run[4], older.parameters[run[3]]].filter(Boolean).join(" · ");
      what.className = "what";
      title.append(link);
      what.append(title, note);
      when.className = "when";
      when.textContent = run[0].slice(0, 4) + "-" + run[0].slice(4, 6) + "-" + run[0].slice(6, 8) + " " + run[0].slice(9, 11) + ":" + run[0].slice(11, 13);
      li.append(state, what, when);
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
          const day = run[0].slice(0, 4) + "-" + run[0].slice(4, 6) + "-" + run[0].slice(6, 8);
          const text = (run[0] + " " + older.flows[run[1]].join(" ") + " " + older.parameters[run[3]] + " " + run[4] + " " + older.states[run[2]][2]).toLowerCase();
          return fits(want, older.states[run[2]][0], older.flows[run[1]][0], day, text);
        });
        place.replaceChildren(...found.slice(0, 200).map(entry));
        document.getElementById("more").hidden = !found.length;
        seen += found.length;
      }
      form.querySelector("output").textContent = words.counted.replace("{n}", seen).replace("{total}", total);
    }

    form.hidden = false;
    form.addEventListener("input", show);
    form.addEventListener("submit", event => event.preventDefault());
    show();
  }

  addEventListener("beforeprint", () => each("details[data-print]:not([open])", d => { d.open = true; d.dataset.shut = ""; }));
  addEventListener("afterprint", () => each("details[data-shut]", d => { d.open = false; delete d.dataset.shut; }));
})();
