import { t } from '../i18n.js';
import type { Following } from '../models/following.js';
import type { People } from '../models/people.js';
import { useChanges } from '../observable.js';
import { Icon, USERS } from './icon.js';

const SHOWN = 5;

interface Props {
  people: People;
  following: Following;
  /** Null if the name cannot be changed. */
  onRename: (() => void) | null;
}

/** The users present, a round mark each; the own one is a button to change the name. */
export function PeopleList({ people, following, onRename }: Props) {
  useChanges(people);
  const [self, ...others] = people.present();
  const shown = others.slice(0, SHOWN - 1);
  const more = others.slice(SHOWN - 1);
  const own = `${self!.name} (${t('you')})`;
  return (
    <>
      <ul className="people" aria-label={t('people')}>
        <Self label={own} mark={mark(people, self!.clientId)} first={firstCharacter(self!.name)} onRename={onRename} />
        {shown.map(({ clientId, name }) => (
          <li key={clientId} className={mark(people, clientId)} title={name} aria-label={name}>
            {firstCharacter(name)}
          </li>
        ))}
        {more.length > 0 && (
          <li className="person more" title={more.map(({ name }) => name).join(', ')}>
            {`+${more.length}`}
          </li>
        )}
      </ul>
      <WhoIsWhere people={people} following={following} />
    </>
  );
}

/** A list of all users: where each is, and a button to follow one over the canvas. */
function WhoIsWhere({ people, following }: { people: People; following: Following }) {
  useChanges(following);
  const present = people.present();
  return (
    <>
      <button type="button" className="quiet" popoverTarget="who-is-where" title={t('whoIsWhere')} aria-label={t('whoIsWhere')}>
        <Icon path={USERS} />
      </button>
      <div id="who-is-where" popover="auto" className="menu who-is-where" role="group" aria-label={t('whoIsWhere')}>
        <ul>
          {present.map(({ clientId, name }, at) => (
            <li key={clientId}>
              <span className={mark(people, clientId)} aria-hidden="true">
                {firstCharacter(name)}
              </span>
              <span className="name">{at === 0 ? `${name} (${t('you')})` : name}</span>
              <span className="place">{t(people.placeOf(clientId))}</span>
              {at > 0 && <Follow clientId={clientId} name={name} following={following} />}
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}

function Follow({ clientId, name, following }: { clientId: string; name: string; following: Following }) {
  const isFollowed = following.followed === clientId;
  return (
    <button
      type="button"
      aria-label={t(isFollowed ? 'stopFollowingName' : 'followName', { name })}
      onClick={({ currentTarget }) => {
        if (isFollowed) return following.stop();
        following.start(clientId);
        currentTarget.closest<HTMLElement>('[popover]')?.hidePopover();
      }}
    >
      {t(isFollowed ? 'stopFollowing' : 'follow')}
    </button>
  );
}

function Self({ label, mark, first, onRename }: { label: string; mark: string; first: string; onRename: Props['onRename'] }) {
  if (onRename === null) {
    return (
      <li className={mark} title={label} aria-label={label}>
        {first}
      </li>
    );
  }
  const action = `${label} – ${t('rename')}`;
  return (
    <li>
      <button type="button" className={mark} title={action} aria-label={action} onClick={onRename}>
        {first}
      </button>
    </li>
  );
}

const mark = (people: People, clientId: string): string => `person tint-${people.tintOf(clientId)}`;
const firstCharacter = (name: string): string => [...name][0]?.toUpperCase() ?? '?';
