// SPDX-License-Identifier: MIT
// A catalog as an earlier build left it: what each script of src/catalog/catalog_schema.c made, taken
// away again, the newest first. A new script there has its row here.
const made = [
	[12, `alter table tenants drop column neon_wished, drop column neon_applied,
		drop column neon_before, drop column neon_held, drop column neon_attempt,
		drop column neon_until, drop column neon_tries, drop column neon_error,
		drop column neon_asked_until`],
	[10, `drop function documents_admit_timely;
		alter table documents drop column stored_expires_at`],
	[9, `drop function documents_admit; drop index documents_ingesting;
		alter table documents drop column attempt_bytes, drop column attempt_sha256`],
	[8, `alter table tenants drop column documents_swept_at;
		drop index documents_tenant_expiry; create index documents_expiry on documents (expires_at)`],
	[7, `alter table documents drop column owner_id, drop column expires_at;
		drop index documents_sha256;
		alter table users add unique (email);
		alter table tenants drop column settings`],
	[6, 'alter table documents drop column reason'],
	[5, 'drop table seal_readers'],
	[4, 'drop table installation; alter table tenants drop column rechecked_at, drop column rechecks'],
	[3, 'alter table tenants drop column not_before, drop column refusals'],
];

// The statements that take a catalog of this build's back to the given version, 2 at the least.
export function backToVersion(version) {
	const scripts = made.filter(([number]) => number > version).map(([, undo]) => undo);
	return [...scripts, `delete from tenantgate_schema where version > ${version}`].join(';\n');
}
