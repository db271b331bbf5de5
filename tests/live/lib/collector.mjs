// SPDX-License-Identifier: MIT
// A collector of traces: takes OTLP/HTTP JSON on /v1/traces, and finds fault with what is not of
// its shape (opentelemetry-proto, docs/specification.md).
//
//	const collector = await Collector.start();
//	gate = await stack.tenantgate({ otlp_url: collector.url });
//	collector.spans					// of all batches, in order
//	collector.answer = (response) => ...;		// instead of 200 and {}
import assert from 'node:assert/strict';
import { createServer } from 'node:http';

const hex = (n) => new RegExp(`^[0-9a-f]{${n}}$`);

function checkValue(value) {
	const [[type, v], ...rest] = Object.entries(value);
	assert.deepEqual(rest, []);
	if (type === 'stringValue')
		assert.equal(typeof v, 'string');
	else if (type === 'intValue')
		assert.match(v, /^-?\d+$/);
	else
		assert.fail(`a value of type ${type}`);
}

function checkAttributes(list) {
	const keys = list.map((a) => a.key);
	assert.equal(new Set(keys).size, keys.length, `a key twice: ${keys}`);
	for (const a of list) {
		assert.deepEqual(Object.keys(a), ['key', 'value']);
		checkValue(a.value);
	}
}

function checkSpan(span) {
	assert.match(span.traceId, hex(32));
	assert.match(span.spanId, hex(16));
	if ('parentSpanId' in span)
		assert.match(span.parentSpanId, hex(16));
	assert.ok(span.name.length > 0 && [1, 2, 3].includes(span.kind));
	assert.match(span.startTimeUnixNano, /^\d{19}$/);
	assert.match(span.endTimeUnixNano, /^\d{19}$/);
	assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
	assert.ok(span.status.code === undefined || span.status.code === 2);
	assert.equal(span.flags & 1, 1);
	checkAttributes(span.attributes);
	const known = ['traceId', 'spanId', 'parentSpanId', 'name', 'kind', 'startTimeUnixNano',
		'endTimeUnixNano', 'attributes', 'status', 'flags'];
	assert.deepEqual(Object.keys(span).filter((k) => !known.includes(k)), []);
}

// { name: value } of a list of attributes.
export const attributes = (list) => Object.fromEntries(list.map((a) =>
	[a.key, Object.values(a.value)[0]]));

export class Collector {
	spans = [];
	resources = [];
	faults = [];
	posts = 0;
	answer = null;

	static async start() {
		const collector = new Collector();
		collector.server = createServer((request, response) => collector.take(request, response));
		// Node's own five seconds end a connection now and then as it is taken for the next request.
		collector.server.keepAliveTimeout = 60000;
		await new Promise((resolve) => collector.server.listen(0, '127.0.0.1', resolve));
		collector.url = `http://127.0.0.1:${collector.server.address().port}`;
		return collector;
	}

	async take(request, response) {
		let text = '';
		for await (const piece of request.setEncoding('utf8'))
			text += piece;
		this.posts++;
		if (this.answer) {
			this.answer(response);
			return;
		}
		try {
			assert.equal(`${request.method} ${request.url}`, 'POST /v1/traces');
			assert.equal(request.headers['content-type'], 'application/json');
			this.read(JSON.parse(text));
		} catch (fault) {
			this.faults.push(fault);
		}
		response.setHeader('content-type', 'application/json');
		response.end('{}');
	}

	read(batch) {
		assert.ok(batch.resourceSpans.length > 0);
		for (const { resource, scopeSpans } of batch.resourceSpans) {
			checkAttributes(resource.attributes);
			this.resources.push(attributes(resource.attributes));
			for (const { scope, spans } of scopeSpans) {
				assert.equal(scope.name, 'tenantgate');
				assert.ok(spans.length > 0);
				spans.forEach(checkSpan);
				this.spans.push(...spans);
			}
		}
	}

	// Those of a trace.
	of(trace) {
		return this.spans.filter((s) => s.traceId === trace);
	}

	stop() {
		this.server.closeAllConnections();
		return new Promise((resolve) => this.server.close(resolve));
	}
}
