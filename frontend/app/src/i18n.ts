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
  canvas: 'Canvas',
  canvasCount: 'Shared canvas, elements: {count}',
  loading: 'The canvas is on its way…',
  canvasFailed: 'The canvas could not be shown. The chat goes on.',
  reload: 'Load again',
  undoGroup: 'Undo and redo',
  undo: 'Undo',
  redo: 'Redo',
  more: 'Save and more',
  savePng: 'Save the canvas as PNG',
  saveSvg: 'Save the canvas as SVG',
  saveJson: 'Save the canvas as a file',
  saveChat: 'Save the chat as text',
  notDone: 'That did not work. Please try again.',
  deleteSession: 'Delete this session…',
  deleteTitle: 'Delete this session?',
  deleteHint: 'The canvas, the chat and the pictures are gone, for everybody, for good.',
  deleteForAll: 'Delete it',
  keepIt: 'Keep it',
  deleted: 'This session was deleted.',
  refusedHint: 'The server does not let this page in (code {code}).',
  pictureTooLarge: 'This picture is larger than 4 MB. Make it smaller and try again.',
  pictureRefused: 'The server did not take this picture.',
  unsaved: 'unsaved work is kept here',
  chat: 'Chat',
  chatEmpty: 'A fresh sheet. Say hello.',
  message: 'Message',
  messageHint: 'Write a message',
  send: 'Send',
  readsOnly: 'Your link lets you read here, not write.',
  unreadable: '(written by a newer version)',
  canvasFull: 'The canvas takes no more: {reason}',
  canvasTooLarge:
    'One item was too large to share ({size} MB; at most {most} MB) and was removed. Make it smaller or split it, then add it again.',
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
  canvas: '캔버스',
  canvasCount: '함께 쓰는 캔버스, 요소 {count}개',
  loading: '캔버스를 불러오는 중…',
  canvasFailed: '캔버스를 표시할 수 없어요. 대화는 계속할 수 있어요.',
  reload: '다시 불러오기',
  undoGroup: '되돌리기와 다시 하기',
  undo: '되돌리기',
  redo: '다시 하기',
  more: '저장 및 더 보기',
  savePng: '캔버스를 PNG로 저장',
  saveSvg: '캔버스를 SVG로 저장',
  saveJson: '캔버스를 파일로 저장',
  saveChat: '대화를 텍스트로 저장',
  notDone: '잘되지 않았어요. 다시 시도해 주세요.',
  deleteSession: '이 세션 삭제…',
  deleteTitle: '이 세션을 삭제할까요?',
  deleteHint: '캔버스와 대화, 사진이 모두에게서 영영 사라져요.',
  deleteForAll: '삭제하기',
  keepIt: '그대로 두기',
  deleted: '이 세션은 삭제되었어요.',
  refusedHint: '서버가 이 페이지를 들여보내지 않아요 (코드 {code}).',
  pictureTooLarge: '사진이 4 MB보다 커요. 줄여서 다시 시도해 주세요.',
  pictureRefused: '서버가 이 사진을 받지 않았어요.',
  unsaved: '저장되지 않은 작업은 여기 보관 중',
  chat: '대화',
  chatEmpty: '새 종이예요. 인사를 건네 보세요.',
  message: '메시지',
  messageHint: '메시지를 입력하세요',
  send: '보내기',
  readsOnly: '이 링크로는 읽을 수만 있어요.',
  unreadable: '(더 새로운 버전에서 쓴 메시지)',
  canvasFull: '캔버스가 더 이상 받지 않아요: {reason}',
  canvasTooLarge:
    '항목 하나가 너무 커서({size} MB, 최대 {most} MB) 공유하지 못하고 지웠어요. 더 작게 만들거나 나눠서 다시 넣어 주세요.',
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
