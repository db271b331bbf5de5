// SPDX-License-Identifier: MIT
// A tenantgate whose documents are staged (retrieval/staging.h) from a few dozen chunks on, with a
// model server of the test's own, and what a test asks of both databases.
import assert from 'node:assert/strict';
import { Embedder } from './embedder.mjs';
import { ModelServer } from './model-server.mjs';
import { Stack } from './stack.mjs';
import { databases } from './crowd.mjs';
import { until } from './process.mjs';

export const CALLS = 4;	// max_document_embedding_calls
export const CHUNKS = 100;
export const UNSTAGING = 'WITH staged AS (DELETE';
export const BATCH = 11;	// vectors of 128 floats in a call

export class StagingStack {
	static async start(name) {
		const s = new StagingStack();
		s.stack = new Stack(name);
		await s.stack.surroundings({ neon: false, redis: false });
		s.server = await ModelServer.start();
		s.embedder = new Embedder(s.server);
		await s.tenantgate();
		assert.equal((await s.acme.ingestText('The first.', { documentId: 'first' })).status, 201);
		s.database = (await databases(s.stack)).acme;
		return s;
	}

	async stop() {
		this.embedder.release();
		await this.stack.stop();
		await this.server.stop();
	}

	// Another one in the place of the one before, which the test has ended.
	async tenantgate(changes = {}) {
		const key = this.gate?.serviceKey;
		this.gate = await this.stack.tenantgate({ model_url: this.server.url, workers: 1,
			rate_limit_requests_per_minute: 0, embedding_dimensions: 128,
			embedding_send_dimensions: 'on', document_embedding_memory: '64KiB',
			ingest_timeout: '60s', ...changes });
		this.gate.serviceKey = key;
		this.acme = await this.gate.tenant('acme');
	}

	async sql(text) {
		return (await this.stack.sql(text, this.database)).flat();
	}

	async staged() {
		return Number((await this.sql('select count(*) from chunk_staged'))[0]);
	}

	// So many calls are answered, and what they gave is in the database. The calls of a document come
	// in any order, and the last one is smaller.
	async stages(calls) {
		await until(`${calls} batches are staged`, async () => this.embedder.answered === calls &&
			await this.staged() === this.embedder.embedded);
	}

	// Whoever deletes staged rows waits, until what it gives is called.
	async keepStaged() {
		await this.sql(`create function kept() returns trigger language plpgsql as $$ begin
				perform pg_advisory_xact_lock_shared(1); return old; end $$;
			create trigger kept before delete on chunk_staged for each row execute function kept()`);
		const holder = this.stack.program('holder', 'psql', ['-X', '-q', '-d',
			this.stack.pg.url(this.database), '-c', 'select pg_advisory_lock(1), pg_sleep(100000)']);
		await until('it is held', async () => (await this.sql('select 1 from pg_locks where ' +
			"locktype = 'advisory'")).length === 1);
		return async () => {
			await this.sql('select pg_terminate_backend(pid) from pg_stat_activity where query like ' +
				"'select pg_advisory_lock(1)%'");
			await holder.exit;
			await this.sql('drop function kept() cascade');
		};
	}

	unstagingWaits(count = 1) {
		return until(`${count} wait to take away what was staged`, async () => (await this.sql(
			"select 1 from pg_stat_activity where wait_event = 'advisory' and query like " +
			`'${UNSTAGING}%'`)).length === count);
	}

	// "chunks in its row, chunks that there are".
	async stored(id) {
		return (await this.sql("select chunks || ' ' || (select count(*) from chunk where " +
			`document_id = '${id}') from document where id = '${id}'`))[0] ?? 'absent';
	}

	async listed(id) {
		return (await this.stack.sql(`select status from documents where document_id = '${id}'`,
			'catalog')).flat()[0] ?? 'absent';
	}

	ingest(id, texts, options = {}) {
		return this.acme.ask('POST', `/ingest?documentId=${encodeURIComponent(id)}`, {
			headers: { 'content-type': 'text/plain' }, body: texts.join('\n\n'), ...options });
	}

	// Each of its chunks, as the question, finds itself: no vector is another's.
	async isInOrder(id, texts) {
		assert.equal(await this.stored(id), `${texts.length} ${texts.length}`);
		assert.deepEqual(await this.sql(`select content from chunk where document_id = '${id}' ` +
			'order by id'), texts);
		for (const i of [0, 1, Math.floor(texts.length / 2), texts.length - 1]) {
			const found = await this.acme.search(texts[i], { documentId: id, topK: 1 });
			assert.equal(found.json.results[0].content, texts[i]);
			assert.ok(found.json.results[0].score > 0.9999, found.body);
		}
	}
}
