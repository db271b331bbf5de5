# SPDX-License-Identifier: MIT
# Names on stdin, one a line: prints the three that are nearest to `name`, the nearest first. Near
# is a small edit distance; a name that holds the other one is near, too.

function least(a, b) {
	return a < b ? a : b
}

function distance(a, b,    i, j, above, left, corner, row, n) {
	n = length(b)
	for (j = 0; j <= n; j++)
		row[j] = j
	for (i = 1; i <= length(a); i++) {
		corner = row[0]
		row[0] = i
		for (j = 1; j <= n; j++) {
			above = row[j]
			left = row[j - 1]
			row[j] = least(least(above, left) + 1, \
			    corner + (substr(a, i, 1) != substr(b, j, 1)))
			corner = above
		}
	}
	return row[n]
}

{
	d = distance(name, $1)
	if (index($1, name) > 0 || index(name, $1) > 0)
		d = least(d, 2)
	if (d <= 2 + length(name) / 2)
		print d "\t" $1 | "sort -n -s | head -n 3 | cut -f 2"
}
