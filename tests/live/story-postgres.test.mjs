// SPDX-License-Identifier: MIT
// The whole story once more, with databases made on a Postgres cluster instead of Neon projects.
process.env.TG_PROVIDER = 'postgres';
await import('./story.test.mjs');
