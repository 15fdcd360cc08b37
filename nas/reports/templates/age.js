// A page that is written anew while a study goes on says how old it is, and reads itself again; not while the reader writes in it.

function startAge() {
  const age = byId("age");
  if (!age) return;
  const written = Date.parse(age.dataset.written);
  const every = Number(age.dataset.every);
  const tell = () => {
    const seconds = Math.max(0, Math.round((Date.now() - written) / 1000));
    age.textContent = seconds < 90 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
  };
  tell();
  setInterval(tell, 1000);
  if (!every) return;
  const busy = () => document.hidden || document.activeElement?.matches("input:not([type=checkbox]), select") || String(getSelection());
  setInterval(() => {
    if (!busy()) location.reload();
  }, every * 1000);
}
