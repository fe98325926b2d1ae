export const LINK = 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1';
export const MENU = 'M12 5h.01M12 12h.01M12 19h.01';
export const SEND = 'M4 12l16-8-5 16-3-6zM12 14l8-10';
export const THEME = 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18';
export const UNDO = 'M8 5L4 9l4 4M4 9h9a6 5 0 0 1 0 10h-3';
export const REDO = 'M16 5l4 4-4 4M20 9h-9a6 5 0 0 0 0 10h3';
export const BRUSH = 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3';
export const USERS = 'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 19a6 6 0 0 1 12 0M16 5a3 3 0 0 1 0 6M18 14a6 6 0 0 1 3 5';
export const TALK = 'M4 5h16v11H9l-5 4z';
export const SEARCH = 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20';
export const BELL = 'M6 17h12l-1.5-2v-5a4.5 4.5 0 0 0-9 0v5zM10 20h4';
export const CLIP = 'M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7L9.2 17.2a1.6 1.6 0 0 1-2.4-2.4L14.5 7';

/** A decorative icon of one path in a 24 × 24 box. */
export function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 24 24" className="icon" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
