/** The menu of a session: saving and deleting. */
export const en = {
  more: 'Save and more',
  savePng: 'Save the canvas as PNG',
  saveSvg: 'Save the canvas as SVG',
  saveJson: 'Save the canvas as a file',
  saveChat: 'Save the chat as text',
  deleteSession: 'Delete this session…',
  deleteTitle: 'Delete this session?',
  deleteHint: 'This deletes the canvas, the chat and all files for all users. It cannot be undone.',
  deleteForAll: 'Delete',
  keepIt: 'Cancel',
};

export const ko: Record<keyof typeof en, string> = {
  more: '저장 및 더 보기',
  savePng: '캔버스를 PNG로 저장',
  saveSvg: '캔버스를 SVG로 저장',
  saveJson: '캔버스를 파일로 저장',
  saveChat: '채팅을 텍스트로 저장',
  deleteSession: '이 세션 삭제…',
  deleteTitle: '이 세션을 삭제할까요?',
  deleteHint: '캔버스와 채팅, 모든 파일이 모든 사용자에게서 삭제되고 되돌릴 수 없어요.',
  deleteForAll: '삭제',
  keepIt: '취소',
};
