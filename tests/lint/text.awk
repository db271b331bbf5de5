# SPDX-License-Identifier: MIT
# Scripts, SQL and makefiles: a licence line at the top, no blanks at the end, asserts left on.

function say(message) {
	print FILENAME ":" FNR ": " message
}

FNR == 1 { licensed = 0 }
/SPDX-License-Identifier: MIT/ { licensed = 1 }
FNR == 2 && !licensed { say("no SPDX-License-Identifier: MIT in the first two lines") }
/[ \t\r]$/ { say("blanks at the end of the line") }
/-D[N]DEBUG/ { say("asserts stay on: no NDEBUG") }
