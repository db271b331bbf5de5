# SPDX-License-Identifier: MIT
# Completion of tenantgatectl's commands, options and tenants' ids in bash. Installed as
# share/bash-completion/completions/tenantgatectl, or: source contrib/completion/tenantgatectl.bash
_tenantgatectl() {
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
	mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" --complete "${words[@]}" 2>/dev/null)
}
complete -F _tenantgatectl tenantgatectl
