import { t } from '../i18n.js';
import type { People } from '../models/people.js';
import { useChanges } from '../observable.js';

const SHOWN = 5;

interface Props {
  people: People;
  /** Null if the name cannot be changed. */
  onRename: (() => void) | null;
}

/** The users present, a round mark each; the own one is a button to change the name. */
export function PeopleList({ people, onRename }: Props) {
  useChanges(people);
  const [self, ...others] = people.present();
  const shown = others.slice(0, SHOWN - 1);
  const more = others.slice(SHOWN - 1);
  const own = `${self!.name} (${t('you')})`;
  return (
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
