#!/bin/bash
# No function over 100 lines, no file over 600: a file's name says its one job, or it is split.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v ctags >/dev/null || { echo "sizes: ctags is missing: apt-get install universal-ctags" >&2; exit 1; }
shopt -s nullglob
failed=0
files=(common/*.[ch] policy/*.[ch] monitor/*.[ch] shell/*.[ch] pam_module/*.[ch] admin/*.[ch] vm/*.[ch] probe/*.[ch]
       tests/unit/*.[ch] tests/fuzz/*.[ch] tests/probes/*.[ch] tests/bench/*.[ch] tests/lib/*.[ch]
       tests/mutation/*.[ch])
[ ${#files[@]} -gt 0 ] || { echo "sizes: no source files found" >&2; exit 1; }

for file in "${files[@]}"; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 600 ]; then
        echo "sizes: $file has $lines lines (600 is the most)" >&2
        failed=1
    fi
done

# ctags: NAME FILE PATTERN KIND ... line:N end:M
over=$(ctags --languages=C --langmap=C:.c.h --c-kinds=f --fields=+ne --sort=no -f - "${files[@]}" | awk -F'\t' '
    { start = end = 0
      for (i = 4; i <= NF; i++) {
          if ($i ~ /^line:/) start = substr($i, 6)
          if ($i ~ /^end:/) end = substr($i, 5)
      }
      if (start > 0 && end - start + 1 > 100)
          printf "sizes: %s:%d: %s has %d lines (100 is the most)\n", $2, start, $1, end - start + 1 }')
if [ -n "$over" ]; then
    echo "$over" >&2
    failed=1
fi
exit $failed
