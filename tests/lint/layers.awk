# SPDX-License-Identifier: MIT
# Who may include whom: a file includes its own module and lower rows, never up, never sideways;
# and which foreign library is seen from where. Tests may include everything.

BEGIN {
	split("base 1 loop 2 wire 3 http 4 pool 4 replica 4 catalog 5 plan 5 auth 6 tenant 6 limit 6 " \
	    "model 6 usage 6 retrieval 7 api 8 admin 9 program 10 extract 10 ctl 10 contrib 10", ranks, " ")
	for (i = 1; i in ranks; i += 2)
		rank[ranks[i]] = ranks[i + 1]

	# Header (a pattern) -> the modules that may see it, each between blanks. First match counts.
	library(1, "^(libpq-fe|postgres_ext|libpq/|hiredis|async\\.h)", " wire ")
	library(2, "^curl/", " wire ctl ")
	library(3, "^(event2/dns|evdns)", " wire ")
	library(4, "^(event2/http|evhttp)", " ")
	library(5, "^(event2/|event\\.h)", " loop wire http contrib ")
	library(6, "^openssl/", " base wire http ")
	libraries = 6
}

function library(n, pattern, modules) {
	library_pattern[n] = pattern
	library_modules[n] = modules
}

# The module a path belongs to: src/MODULE/..., include/tenantgate/MODULE.h or MODULE/..., or a
# program.
function module_of_path(path,	part, n) {
	sub(/^\.\//, "", path)
	n = split(path, part, "/")
	if (part[1] == "src")
		return n > 2 ? part[2] : "program"
	if (part[1] == "include")
		return module_of_header(n > 3 ? part[3] "/" : part[3])
	return part[1]
}

# MODULE.h or MODULE/x.h, as they follow "tenantgate/".
function module_of_header(header) {
	sub(/(\/|\.h).*$/, "", header)
	return header in rank ? header : "program"
}

function file_exists(path,	line, there) {
	there = (getline line < path) >= 0
	close(path)
	return there
}

function layer_check_library(header,	i) {
	for (i = 1; i <= libraries; i++) {
		if (header !~ library_pattern[i])
			continue
		if (index(library_modules[i], " " module " ") == 0)
			say("<" header "> is not for " module "/" (library_modules[i] == " " ? "" : \
			    ", only for" library_modules[i]))
		return
	}
}

function layer_check_public(name, target) {
	if (target == module)
		return
	if (rank[target] > rank[module])
		say(module "/ includes up: " name)
	else if (rank[target] == rank[module])
		say(module "/ includes sideways: " name)
}

# "x.h" beside the file, "MODULE/x.h" under src/: private to its module.
function layer_check_private(name,	target, beside) {
	beside = FILENAME
	sub(/[^\/]*$/, "", beside)
	if (index(name, "/") == 0) {
		if (!file_exists(beside name) && name != "config.h" && module != "program")
			say("a private header of another module: " name)
		return
	}
	target = substr(name, 1, index(name, "/") - 1)
	if (target != module && !file_exists(beside name))
		say("a private header of another module: " name)
}

# line: an #include directive, comments taken off.
function layer_check(line,	name) {
	if (!match(line, /["<][^">]*[">]/))
		return
	name = substr(line, RSTART + 1, RLENGTH - 2)
	if (index(name, "../"))
		say("an include with ../: " name)
	else if (name ~ /^tenantgate\//)
		layer_check_public(name, module_of_header(substr(name, length("tenantgate/") + 1)))
	else if (substr(line, RSTART, 1) == "<")
		layer_check_library(name)
	else
		layer_check_private(name)
}

# Once for each file.
function layer_enter() {
	module = module_of_path(FILENAME)
	if (module != "tests" && !(module in rank)) {
		say("no such module: " module)
		module = "program"
	}
}
