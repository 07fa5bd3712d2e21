# Prints the last lines of each test that failed, from what `go test -v` of many packages wrote. A
# line belongs to the test that the last "=== RUN", "=== NAME" or "=== CONT" named; what comes with
# no test, as a package that does not build, is printed as it is. Of a panic it prints what comes
# before the first goroutine, as which tests were running, and the goroutines that are in a test's code.
BEGIN { most = 30 }
function flush(   ours) {
  ours = block ~ /_test\.go:/
  if (ours && crash > 0) { printf "%s", block; crash -= gsub(/\n/, "\n", block) }
  block = ""
}
/^(panic:|fatal error:|SIG)/ && !crash { crash = 300; goroutines = 0 }
/^(ok  |FAIL)\t/ { flush(); crash = 0 }
crash != 0 {
  if (/^goroutine /) { goroutines = 1; flush() }
  if (goroutines) block = block $0 "\n"
  else print
  next
}
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
