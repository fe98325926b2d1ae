import { MAX_TEXT_CHARACTERS, type IsshoniClient } from '@isshoni/client';
import { h, icon } from '@isshoni/paper';
import { language, t } from '../i18n.js';
import type { Conversation } from '../models/conversation.js';
import type { People } from '../models/people.js';
import { disposeAll, type View } from './view.js';

const SEND = 'M4 12l16-8-5 16-3-6zM12 14l8-10';
const NEAR_BOTTOM_PX = 80;

/** The chat: what was said, what waits to be saved, and where to write. */
export function chatView(client: IsshoniClient, conversation: Conversation, people: People): View {
  const log = h('ol', { class: 'log', role: 'log', 'aria-label': t('chat'), tabindex: 0 });
  const waiting = h('ol', { class: 'log waiting' });
  const empty = h('p', { class: 'empty' }, t('chatEmpty'));
  const notice = h('p', { class: 'notice', role: 'alert' });
  const scroll = h('div', { class: 'scroll' }, empty, log, waiting);
  let shown = 0;

  const render = (all: boolean): void => {
    const atBottom = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_BOTTOM_PX;
    const { messages } = conversation;
    if (all) log.replaceChildren();
    for (shown = all ? 0 : shown; shown < messages.length; shown += 1) {
      log.append(messageItem(conversation, shown, people, client.clientId));
    }
    waiting.replaceChildren(...conversation.waiting.map(waitingItem));
    waiting.hidden = conversation.waiting.length === 0;
    empty.hidden = messages.length + conversation.waiting.length > 0;
    if (atBottom || all) scroll.scrollTop = scroll.scrollHeight;
  };

  const names = (): string =>
    conversation.messages.map((m) => people.nameOf(m.client_id)).join('\n');
  let shownNames = '';
  const rename = (): void => {
    if (names() === shownNames) return;
    shownNames = names();
    render(true);
  };

  const element = h(
    'section',
    { class: 'chat', 'aria-label': t('chat') },
    scroll,
    notice,
    composer(client, () => (scroll.scrollTop = scroll.scrollHeight)),
  );
  // The list can only be scrolled once it is on the page.
  queueMicrotask(() => render(true));
  const dispose = disposeAll([
    client.on('chat', ({ reset }) => render(reset)),
    client.on('saved', () => render(false)),
    client.on('refused', ({ reason }) => (notice.textContent = t('refused', { reason }))),
    people.observe(rename),
  ]);
  return { element, dispose };
}

function messageItem(conversation: Conversation, index: number, people: People, ownId: string): HTMLElement {
  const message = conversation.messages[index]!;
  const previous = conversation.messages[index - 1];
  const continues = previous?.client_id === message.client_id && message.at - previous.at < 5 * 60_000;
  const own = message.client_id === ownId;
  const at = new Date(message.at);
  const head = h(
    'div',
    { class: 'head' },
    h('span', { class: `who tint-${people.tintOf(message.client_id)}` }, people.nameOf(message.client_id)),
    h('time', { datetime: at.toISOString() }, formatTime(at)),
  );
  return h(
    'li',
    { class: `message${own ? ' own' : ''}${continues ? ' continues' : ''}` },
    continues ? null : head,
    h('p', { class: 'text' }, message.text),
  );
}

function waitingItem({ text, saved }: { text: string; saved: boolean }): HTMLElement {
  const mark = saved ? null : h('span', { class: 'mark' }, t('notSaved'));
  return h('li', { class: `message own${saved ? '' : ' unsaved'}` }, h('p', { class: 'text' }, text), mark);
}

function formatTime(at: Date): string {
  return new Intl.DateTimeFormat(language(), { hour: 'numeric', minute: '2-digit' }).format(at);
}

function composer(client: IsshoniClient, sent: () => void): HTMLElement {
  const draftKey = `isshoni:draft:${client.sessionId}`;
  const input = h('textarea', {
    rows: 1,
    maxlength: MAX_TEXT_CHARACTERS,
    placeholder: t('messageHint'),
    'aria-label': t('message'),
    enterkeyhint: 'send',
    oninput: () => sessionStorage.setItem(draftKey, input.value),
    onkeydown: (event: KeyboardEvent) => {
      // Enter also ends the composition of a Korean syllable: that is no wish to send.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    },
  });
  input.value = sessionStorage.getItem(draftKey) ?? '';
  const submit = (): void => {
    const text = input.value.trim();
    if (text === '') return;
    client.send(text);
    input.value = '';
    sessionStorage.removeItem(draftKey);
    sent();
  };
  return h(
    'form',
    {
      class: 'composer',
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        submit();
        input.focus();
      },
    },
    input,
    h('button', { type: 'submit', class: 'seal-button', title: t('send'), 'aria-label': t('send') }, icon(SEND)),
  );
}
