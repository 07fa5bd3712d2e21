# Prints the last lines of each test that failed, from what `go test -v` of many packages wrote. A
# line belongs to the test that the last "=== RUN", "=== NAME" or "=== CONT" named; what comes with
# no test, as a package that does not build or a panic, is printed as it is.
BEGIN { most = 30 }
/^=== (RUN|NAME|CONT|PAUSE) / { test = $3; next }
/^ *--- (PASS|SKIP): / { delete count[$3]; test = $3; next }
/^ *--- FAIL: / {
  print
  first = count[$3] > most ? count[$3] - most : 0
  for (i = first; i < count[$3]; i++) print "    " lines[$3, i]
  test = $3; delete count[$3]; next
}
/^(ok |\?  |PASS$|FAIL)/ { test = ""; if ($1 == "FAIL") print; next }
test == "" { print; next }
{ lines[test, count[test]++] = $0 }
/^(panic:|fatal error:|SIG)/ { crash = 80 }
crash > 0 { print; crash-- }
