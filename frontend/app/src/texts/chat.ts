/** Chat. */
export const en = {
  chat: 'Chat',
  chatEmpty: 'No messages yet. Say hello!',
  message: 'Message',
  messageHint: 'Write a message',
  send: 'Send',
  readsOnly: 'With this link you can read, but not write.',
  unreadable: '(written by a newer version)',
  notSaved: 'not saved yet',
  refused: 'The server refused this message: {reason}',
  doubtful: 'This message was sent long ago and may not have arrived. If you do not see it above, send it again: {text}',
};

export const ko: Record<keyof typeof en, string> = {
  chat: '채팅',
  chatEmpty: '아직 메시지가 없어요. 인사를 건네 보세요!',
  message: '메시지',
  messageHint: '메시지를 입력하세요',
  send: '보내기',
  readsOnly: '이 링크로는 읽을 수만 있어요.',
  unreadable: '(더 최신 버전에서 쓴 메시지)',
  notSaved: '아직 저장되지 않음',
  refused: '서버가 이 메시지를 받지 않았어요: {reason}',
  doubtful: '오래전에 보낸 메시지라 도착했는지 알 수 없어요. 위에 보이지 않으면 다시 보내 주세요: {text}',
};
