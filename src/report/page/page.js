// Draws the charts of the page and makes its tables sortable. Without it the page is complete but for the charts.
"use strict";
(() => {
  const palettes = {
    // Okabe and Ito's colours (jfly.uni-koeln.de/color), which stay apart for colour-blind eyes, then some of Paul Tol's
    // (sronpersonalpages.nl/~pault), for as many tasks as a suite of the paper has; paler on a dark page.
    light: {
      surface: "#ffffff", ink: "#1b2027", quiet: "#5a6570", line: "#e3e6ea",
      blue: "#0072b2", orange: "#d55e00", green: "#009e73", grey: "#7a838c",
      category: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b", "#000000",
        "#882255", "#44aa99", "#999933", "#332288", "#cc6677", "#117733", "#661100", "#aa4499"],
    },
    dark: {
      surface: "#14181d", ink: "#e4e8ec", quiet: "#9ba7b3", line: "#2b333b",
      blue: "#56b4e9", orange: "#f0883e", green: "#2fc197", grey: "#98a2ad",
      category: ["#56b4e9", "#f0883e", "#2fc197", "#e59ac5", "#f2c14e", "#8fa8ff", "#a8a8a8", "#ffffff",
        "#ff6f91", "#7fe0d0", "#d6d65c", "#9c8cff", "#ffb3a7", "#7ad97a", "#c98b6b", "#e08cf0"],
    },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function configuration(palette, width) {
    return {
      background: palette.surface,
      font: getComputedStyle(document.body).fontFamily,
      padding: { left: 2, right: 6, top: 6, bottom: 2 },
      view: { stroke: null },
      axis: {
        labelColor: palette.quiet, titleColor: palette.quiet, gridColor: palette.line, domainColor: palette.line,
        tickColor: palette.line, labelOverlap: "greedy", labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 170,
      },
      legend: {
        orient: "bottom", layout: { bottom: { direction: "vertical", anchor: "start", margin: 4 } }, columns: width < 420 ? 2 : 3, labelColor: palette.ink, titleColor: palette.quiet, titleFontWeight: "normal",
        labelFontSize: 12, titleFontSize: 12, labelLimit: 220,
      },
      range: { category: palette.category },
    };
  }

  /** The specification with its named colours, and with a size where it must be square. */
  function resolved(element, palette) {
    const source = document.getElementById("spec-" + element.dataset.chart).textContent;
    const spec = JSON.parse(source.replace(/"theme:(\w+)"/g, (_, name) => JSON.stringify(palette[name])));
    if (spec.usermeta && spec.usermeta.square) {
      spec.width = spec.height = Math.min(element.clientWidth - 62, 380);
    } else {
      spec.autosize = { type: "fit-x", contains: "padding" };
    }
    return spec;
  }

  // This Vega-Embed takes its own version for another ("uses v4.17.0, but the current version is v4.17.0"): hide that only.
  const warn = console.warn;
  console.warn = (...words) => /but (the )?current version/.test(words[0]) || warn(...words);

  async function draw(palette) {
    for (const element of document.querySelectorAll(".plot")) {
      try {
        const { view } = await vegaEmbed(element, resolved(element, palette), {
          mode: "vega-lite", renderer: "svg", config: configuration(palette, element.clientWidth), tooltip: { theme: dark.matches ? "dark" : "light" },
          actions: { export: true, source: true, compiled: false, editor: false }, downloadFileName: element.dataset.chart,
          scaleFactor: 2, sourceHeader: "", sourceFooter: "",
        });
        // Vega-Embed draws the picture of a link when the mouse goes down on it: by keyboard nobody would have.
        for (const link of element.querySelectorAll(".vega-actions a[download]")) {
          link.addEventListener("keydown", async (event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            link.href = await view.toImageURL(link.download.split(".").pop(), 2);
            link.click();
          });
        }
      } catch (error) {
        element.textContent = "This chart could not be drawn: " + error.message;
        console.error(element.dataset.chart, error);
      }
    }
    document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn || 0) + 1);
  }

  const current = () => draw(dark.matches ? palettes.dark : palettes.light);

  // Sorting: first click puts the greatest numbers (or the first names) on top, the next turns the order round.
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    if (body.rows.length < 2 || [...body.rows].some((row) => row.cells[0].textContent === "")) return;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const is_number = [...body.rows].some((row) => row.cells[column].dataset.value !== undefined);
        const first = is_number ? "descending" : "ascending";
        const other = is_number ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const compare = (a, b) => {
          const [x, y] = [a.cells[column], b.cells[column]];
          if (!is_number) return sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true });
          const [u, v] = [x, y].map((cell) => (cell.dataset.value === undefined ? NaN : Number(cell.dataset.value)));
          if (Number.isNaN(u) || Number.isNaN(v)) return Number.isNaN(u) - Number.isNaN(v); // what is not there, last
          return sign * (u - v);
        };
        body.append(...[...body.rows].sort(compare));
      });
    });
  }
  document.querySelectorAll("table").forEach(sortable);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not([open])")].filter((element) => !element.closest(".plot"));
    closed.forEach((element) => { element.open = true; });
    draw(palettes.light);
  });
  addEventListener("afterprint", () => {
    closed.forEach((element) => { element.open = false; });
    current();
  });
  dark.addEventListener("change", current);
  let width = innerWidth;
  let timer = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(timer);
    timer = setTimeout(current, 200);
  });
  current();
})();
