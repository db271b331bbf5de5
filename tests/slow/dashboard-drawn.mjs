// SPDX-License-Identifier: MIT
// Each panel of the dashboard shows something of a real load, and is drawn; so is `top`.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takePictures } from '../../contrib/pictures/pictures.mjs';

// What ought never to be: a good run has none of it.
const NEVER = ['Long turns'];

// Width and height of a PNG, from its header (PNG specification, 11.2.2 IHDR).
function sizeOf(file) {
	const bytes = readFileSync(file);
	assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
	return [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes.length];
}

test('each panel has data, and is in a picture', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'pictures-'));
	try {
		const { panels, top } = await takePictures(1.5, folder);
		const shown = panels.filter((panel) => panel.type !== 'row');
		assert.ok(shown.length > 40);
		const empty = shown.filter((panel) => !panel.series.some((one) => one.values.some((v) => v !== null)));
		assert.deepEqual(empty.map((panel) => panel.title).filter((title) => !NEVER.includes(title)), []);
		// A series of which a label is missing would have no name.
		const nameless = shown.filter((panel) => panel.series.length > 1 && panel.type !== 'stat' &&
			panel.series.some((one) => one.name === ''));
		assert.deepEqual(nameless.map((panel) => panel.title), []);
		for (const name of ['dashboard-traffic', 'dashboard-pools', 'dashboard-models', 'dashboard-process',
			'top']) {
			const [width, height, bytes] = sizeOf(join(folder, `${name}.png`));
			assert.ok(width > 600 && height > 1000 && bytes > 50000, `${name}: ${width} ${height} ${bytes}`);
		}
		for (const row of [/^search +[1-9]/m, /^model_streams +\d/m, /^acme +\d/m])
			assert.match(top, row);
	} finally {
		rmSync(folder, { recursive: true });
	}
});
