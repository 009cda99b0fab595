/** The tour, and what the page shows only where scripts run. */

for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;

// The hash keeps what the reader chose, so a link of the tour moves without it.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='#']");
  const target = link && document.querySelector(link.getAttribute("href"));
  if (!target) return;
  event.preventDefault();
  target.tabIndex = -1;
  target.scrollIntoView();
  target.focus({ preventScroll: true });
});

// On paper, what is folded would be lost.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
