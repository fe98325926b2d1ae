import './styles.css';
import { applyTheme, chosenLanguage } from '@isshoni/paper';
import { Api, takeToken } from './api.js';
import { setLanguage } from './i18n.js';
import { mountDashboard } from './page.js';

const api = new Api(takeToken());
setLanguage(chosenLanguage());
applyTheme();
mountDashboard(document.getElementById('app')!, api);
