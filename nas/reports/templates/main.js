// The page is whole without scripts; here it comes to life.

startTheme();
recall();
for (const table of document.querySelectorAll("table.board")) {
  makeSortable(table);
  makeOpenable(table);
}
if (size) {
  filters.start();
  board.start();
  if (goals.length && byId("tradeoff")) new TradeOff(byId("tradeoff"));
  if (goals.length && byId("sofar")) new SoFar(byId("sofar"));
  if (trainings.size && byId("curve")) new Curves(byId("curve"));
  if (goals.length && byId("parallel")) new Parallel(byId("parallel"));
}
for (const element of document.querySelectorAll("[data-live]")) element.hidden = false;
startAge();
