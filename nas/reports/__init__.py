from pathlib import Path
def write_report(ledger, study, out): raise SystemExit
