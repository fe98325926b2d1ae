import type { Language } from '@isshoni/paper';

const ENGLISH = {
  tagline: 'Draw and talk on one sheet of paper, together.',
  create: 'Take a new sheet',
  open: 'Open',
  openLabel: 'or open one by its name',
  openHint: 'quiet-heron-4k7m2p',
  badId: 'A name has 1 to 64 letters, digits, - or _.',
  you: 'you',
  yourName: 'Your name',
  nameHint: 'So that others know who draws.',
  enter: 'Come in',
  save: 'Save',
  rename: 'Change your name',
  guest: 'Guest',
  people: 'People here',
  share: 'Share',
  copied: 'Link copied',
  shareTitle: 'Share this link',
  close: 'Close',
  language: '한국어로 보기',
  theme: 'Light or dark',
  home: 'Home',
  canvas: 'Shared canvas, strokes: {count}',
  tools: 'Drawing tools',
  pen: 'Pen',
  eraser: 'Eraser',
  undo: 'Undo',
  redo: 'Redo',
  width: 'Width',
  fine: 'Fine',
  medium: 'Medium',
  broad: 'Broad',
  colour: 'Colour',
  ink: 'Ink',
  vermilion: 'Vermilion',
  indigo: 'Indigo',
  pine: 'Pine',
  ochre: 'Ochre',
  chat: 'Chat',
  chatEmpty: 'A fresh sheet. Say hello.',
  message: 'Message',
  messageHint: 'Write a message',
  send: 'Send',
  notSaved: 'not saved yet',
  refused: 'The server did not take this message: {reason}',
  connecting: 'Connecting…',
  restored: 'Connected',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
  statusRefused: 'Not admitted',
  closed: 'Closed',
  kept: 'Everything you do is kept here until you are back.',
  blue: 'blue',
  green: 'green',
  moved: 'moved to {version}, {ms} ms',
};

type Key = keyof typeof ENGLISH;

const KOREAN: Record<Key, string> = {
  tagline: '한 장의 종이 위에서, 함께 그리고 이야기해요.',
  create: '새 종이 펼치기',
  open: '열기',
  openLabel: '또는 이름으로 열기',
  openHint: 'quiet-heron-4k7m2p',
  badId: '이름은 영문자, 숫자, -, _ 로 1~64자입니다.',
  you: '나',
  yourName: '이름',
  nameHint: '누가 그리는지 알 수 있게 알려 주세요.',
  enter: '들어가기',
  save: '저장',
  rename: '이름 바꾸기',
  guest: '손님',
  people: '함께 있는 사람들',
  share: '공유',
  copied: '링크를 복사했어요',
  shareTitle: '이 링크를 공유하세요',
  close: '닫기',
  language: 'Read in English',
  theme: '밝게 또는 어둡게',
  home: '처음으로',
  canvas: '함께 쓰는 캔버스, 획 {count}개',
  tools: '그리기 도구',
  pen: '펜',
  eraser: '지우개',
  undo: '되돌리기',
  redo: '다시 하기',
  width: '굵기',
  fine: '가늘게',
  medium: '보통',
  broad: '굵게',
  colour: '색',
  ink: '먹색',
  vermilion: '주홍',
  indigo: '쪽빛',
  pine: '솔잎색',
  ochre: '황토색',
  chat: '대화',
  chatEmpty: '새 종이예요. 인사를 건네 보세요.',
  message: '메시지',
  messageHint: '메시지를 입력하세요',
  send: '보내기',
  notSaved: '아직 저장되지 않음',
  refused: '서버가 이 메시지를 받지 않았어요: {reason}',
  connecting: '연결하는 중…',
  restored: '연결됨',
  reconnecting: '다시 연결하는 중…',
  offline: '오프라인',
  statusRefused: '들어갈 수 없음',
  closed: '닫힘',
  kept: '돌아올 때까지 모두 여기에 보관해 둘게요.',
  blue: '블루',
  green: '그린',
  moved: '{version}(으)로 이동, {ms} ms',
};

const TEXTS: Record<Language, Record<Key, string>> = { en: ENGLISH, ko: KOREAN };

let current: Language = 'en';

export function setLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language;
}

export const language = (): Language => current;

/** Give a text in the language of the page, with its `{places}` filled. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** Give a colour's name; one we do not know stays as the server said it. */
export function colourName(colour: string): string {
  return colour === 'blue' || colour === 'green' ? t(colour) : colour;
}
