# Prints the package and the name of each test that failed, from what `go test -v` of many packages
# wrote. The name is [hung] for a package that was not over in its time, and [none] for one whose tests
# did not come to their end for another reason, as where the process was killed, or that failed
# without a test that did: there is nothing to run once more.
/^--- FAIL: / { names[++count] = $3; next }
/^panic: test timed out after / { hung = 1; next }
/^FAIL$/ { ended = 1; next }
/^FAIL\t/ {
  if (hung) { count = 1; names[1] = "[hung]" }
  else if (!ended || count == 0) names[++count] = "[none]"
  for (i = 1; i <= count; i++) print $2, names[i]
}
/^(ok  |FAIL)\t/ { count = 0; ended = 0; hung = 0 }
