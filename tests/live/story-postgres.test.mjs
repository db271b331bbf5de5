// SPDX-License-Identifier: MIT
// story.test.mjs once more, with databases on a Postgres cluster instead of Neon projects.
process.env.TG_PROVIDER = 'postgres';
await import('./story.test.mjs');
