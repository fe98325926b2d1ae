/** Users, who is where, following, and sharing the link. */
export const en = {
  you: 'you',
  people: 'In this session',
  whoIsWhere: 'Who is where',
  onCanvas: 'on the canvas',
  onPage: 'on this page',
  elsewhere: 'in another tab',
  follow: 'Follow',
  followName: 'Follow {name}',
  stopFollowing: 'Stop following',
  stopFollowingName: 'Stop following {name}',
  followed: 'You see what {name} sees.',
  share: 'Share',
  copied: 'Link copied',
  shareTitle: 'Share this link',
};

export const ko: Record<keyof typeof en, string> = {
  you: '나',
  people: '참여 중인 사람',
  whoIsWhere: '누가 어디에 있나요',
  onCanvas: '캔버스',
  onPage: '이 페이지',
  elsewhere: '다른 탭',
  follow: '따라가기',
  followName: '{name} 따라가기',
  stopFollowing: '그만 따라가기',
  stopFollowingName: '{name} 그만 따라가기',
  followed: '{name} 님이 보는 화면을 함께 보고 있어요.',
  share: '공유',
  copied: '링크를 복사했어요',
  shareTitle: '이 링크를 공유하세요',
};
