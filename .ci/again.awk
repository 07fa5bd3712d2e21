# Prints the package and the name of each test that failed, from what `go test -v` of many packages
# wrote. A package that failed without a test that did has no name, so that nothing can be run.
/^--- FAIL: / { names[++count] = $3; next }
/^FAIL\t/ {
  if (count == 0) names[++count] = "[none]"
  for (i = 1; i <= count; i++) print $2, names[i]
}
/^(ok  |FAIL)\t/ { count = 0 }
