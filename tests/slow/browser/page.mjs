// SPDX-License-Identifier: MIT
// A page with useChat, as small as can be: what was said, the reasoning, the sources, an error's
// sentence, a field, a file, and a button that stops. The chat's id is in the address, as in an app
// where a chat can be opened again.
import { createElement as h, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';

const query = new URLSearchParams(location.search);

// With ?api= the page asks tenantgate itself, of another origin, with what its own server gives it.
const transport = query.has('api')
	? new DefaultChatTransport({ api: query.get('api'), headers: async () => ({
		authorization: `Bearer ${await (await fetch('/credential')).text()}` }) })
	: new DefaultChatTransport({ api: '/chat' });

// What useChat makes of a refusal is an Error whose message is the whole body: of a problem
// (RFC 9457) a user wants the sentence.
function sentence(error) {
	try {
		return JSON.parse(error.message).detail;
	} catch {
		return error.message;
	}
}

function Part({ part }) {
	switch (part.type) {
	case 'text': return h('span', { className: 'text' }, part.text);
	case 'reasoning': return h('i', { className: 'reasoning' }, part.text);
	case 'source-document': return h('li', { className: 'source' }, part.title);
	default: return null;
	}
}

function Message({ message }) {
	return h('div', { className: message.role },
		message.parts.map((part, i) => h(Part, { key: i, part })));
}

function Chat() {
	const [text, setText] = useState('');
	const [files, setFiles] = useState();
	const { messages, sendMessage, stop, status, error } = useChat({
		id: query.get('chat') ?? undefined, resume: query.has('resume'), transport });
	const send = (e) => {
		e.preventDefault();
		sendMessage({ text, files });
		setText('');
	};
	return h('main', null,
		messages.map((message) => h(Message, { key: message.id, message })),
		h('output', { id: 'status' }, status),
		error && h('p', { id: 'error' }, sentence(error)),
		h('form', { onSubmit: send },
			h('input', { id: 'text', value: text, onChange: (e) => setText(e.target.value) }),
			h('input', { id: 'files', type: 'file', multiple: true,
				onChange: (e) => setFiles(e.target.files) }),
			h('button', { id: 'send' }, 'Send'),
			h('button', { id: 'stop', type: 'button', onClick: stop }, 'Stop')));
}

createRoot(document.getElementById('root')).render(h(Chat));
