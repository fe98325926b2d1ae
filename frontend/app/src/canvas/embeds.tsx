import { t } from '../i18n.js';

/** The origins whose pages may be embedded: the server names them in the page, and its policy allows no others. */
const ORIGINS = new Set(document.querySelector<HTMLMetaElement>('meta[name="embed-hosts"]')?.content.split(' ').filter(Boolean));

/** What a frame may do; it is of another origin, so that it gets at nothing of this page. */
const SANDBOX = 'allow-scripts allow-same-origin allow-forms allow-popups allow-presentation';

/** True if the operator allows pages of any host to be embedded. */
export const MAY_EMBED = ORIGINS.size > 0;

/** Return the address to frame for a link; null if the operator does not allow its host. */
export function frameAddress(link: string | null): string | null {
  if (link === null || !URL.canParse(link)) return null;
  const address = playerOf(new URL(link)) ?? new URL(link);
  return ORIGINS.has(address.origin) && address.origin !== location.origin ? address.href : null;
}

export const isEmbeddable = (link: string): boolean => frameAddress(link) !== null;

/** Return the frame for an element; an empty part if its host is not allowed: null would be a frame of the editor's. */
export function renderEmbed({ link }: { link: string | null }) {
  const address = frameAddress(link);
  if (address === null) return <span />;
  return (
    <iframe
      className="excalidraw__embeddable"
      src={address}
      title={t('embeddedPage', { host: new URL(address).host })}
      sandbox={SANDBOX}
      allow="autoplay; encrypted-media; fullscreen; picture-in-picture"
      // Not the whole address: the session's name is in it. Video hosts refuse to play without any.
      referrerPolicy="strict-origin"
      loading="lazy"
    />
  );
}

/** Return the address of a video's player, as its host does not let its pages be framed; null for other links. */
function playerOf({ hostname, pathname, searchParams }: URL): URL | null {
  const [first = '', second = ''] = pathname.slice(1).split('/');
  switch (hostname.replace(/^(www|m)\./, '')) {
    case 'youtu.be':
      return player('https://www.youtube.com/embed/', first);
    case 'youtube.com':
      return player('https://www.youtube.com/embed/', first === 'shorts' ? second : searchParams.get('v'));
    case 'vimeo.com':
      return /^\d+$/.test(first) ? player('https://player.vimeo.com/video/', first) : null;
    default:
      return null;
  }
}

const player = (base: string, id: string | null): URL | null => (id !== null && /^[\w-]+$/.test(id) ? new URL(id, base) : null);
