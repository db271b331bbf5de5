# SPDX-License-Identifier: MIT
# Completion of tenantgatectl's commands, options and tenants' ids in bash. Installed as
# share/bash-completion/completions/tenantgatectl, or: source contrib/completion/tenantgatectl.bash
_tenantgatectl() {
	# By blanks alone: bash's own words end at : and @, which tenants' ids have.
	local line=${COMP_LINE:0:COMP_POINT} words last
	read -ra words <<<"$line"
	[[ $line == *[[:blank:]] ]] && words+=('')
	last=${words[-1]}
	mapfile -t COMPREPLY < <("${words[0]}" --complete "${words[@]:1}" 2>/dev/null)
	# What is before the last of these stays on the line as it is.
	COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*[:@=]}"}"}")
}
complete -F _tenantgatectl tenantgatectl
