// Each head of a sortable table sorts its rows; rows without a value stay below the others.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.ariaSort === "ascending" ? -1 : 1;
      heads.forEach((other) => (other.ariaSort = other === head ? (sign > 0 ? "ascending" : "descending") : null));
      const cells = new Map([...table.rows].slice(1).map((row) => [row, row.cells[column]]));
      const isText = [...cells.values()].every((cell) => cell.dataset.value === undefined);
      const value = (row) => (isText ? cells.get(row).textContent : parseFloat(cells.get(row).dataset.value));
      const rows = [...cells.keys()].sort((one, other) => {
        const [a, b] = [value(one), value(other)];
        if (a !== a || b !== b) return (a !== a) - (b !== b);
        return sign * (isText ? a.localeCompare(b) : a - b);
      });
      table.tBodies[0].append(...rows);
    });
  });
}
