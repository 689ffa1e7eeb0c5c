for (const pane of document.querySelectorAll("[data-pane]")) {
  const tile = pane.querySelector(".tile"), said = pane.querySelector("output"), map = pane.querySelector(".map");
  const input = name => pane.querySelector(`[name=${name}]`);
  const position = name => Number(input(name).value);
  const value = name => JSON.parse(input(name).dataset.values)[position(name)];
  const last = name => Number(input(name).max);

  const places = {  // row and column of the sheet, and what is said of them
    map: () => [last("up") - position("up"), position("across"),
      `${input("across").dataset.label} = ${value("across")}, ${input("up").dataset.label} = ${value("up")}`],
    classes: () => {
      const [source, target] = [position("source"), position("target")], classes = input("source").options;
      const text = `from class ${classes[source].text} to ${classes[target].text}, alpha = ${value("alpha")}`;
      if (source === target) return null;
      const [first, second] = [Math.min(source, target), Math.max(source, target)];
      // The rows are the pairs (0, 1), (0, 2), ... (1, 2), ...; a walk back is the same row from its other end.
      const row = first * classes.length - first * (first + 1) / 2 + second - first - 1;
      return [row, source < target ? position("alpha") : last("alpha") - position("alpha"), text];
    },
    components: () => [position("component"), position("deviation"),
      `${input("component").selectedOptions[0].text}, ${value("deviation")} standard deviations`],
  };

  const show = () => {
    const place = places[pane.dataset.pane]();
    if (place === null) {
      said.textContent = "choose two classes";
      return;
    }
    const [row, column, text] = place;
    const share = (index, count) => count > 1 ? 100 * index / (count - 1) : 0;
    tile.style.backgroundPosition = `${share(column, tile.dataset.columns)}% ${share(row, tile.dataset.rows)}%`;
    tile.setAttribute("aria-label", `decoded image, ${text}`);
    said.textContent = text;
    if (map) {
      const cursor = map.querySelector(".cursor");
      cursor.setAttribute("cx", 100 * position("across") / last("across"));
      cursor.setAttribute("cy", 100 - 100 * position("up") / last("up"));
    }
  };

  pane.addEventListener("input", show);
  map?.addEventListener("pointermove", event => {
    const box = map.getBoundingClientRect();
    input("across").value = Math.round((event.clientX - box.left) / box.width * last("across"));
    input("up").value = Math.round((box.bottom - event.clientY) / box.height * last("up"));
    show();
  });
  show();
}
