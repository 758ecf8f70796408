/**
 * Words of other languages that orders are made of, by what they are in English: Chinese, Japanese, Korean, Spanish,
 * Portuguese, French, German, Italian and Russian. A star stands for any ending; accents are left out.
 */
export const GLOSSARY: Readonly<Record<string, string>> = {
  must: `必须 必須 务必 必ず 必要がある 必要があります 반드시 해야 debe debes deben deberas necesario obligatorio deve devem obrigatorio
    necessario doit devez doivent faut obligatoire necessaire muss mussen musst mussen zwingend erforderlich notwendig devi
    devono obbligatorio необходимо должен должна должны обязательно нужно обязан*`,
  always: '始终 总是 常に いつも 항상 siempre sempre toujours immer stets всегда',
  never: '绝不 从不 决不 決して 절대 nunca jamais niemals никогда',
  first: '首先 まず 먼저 primero primeiro zuerst zunachst сначала сперва',
  before: '之前 以前 前に 전에 antes avant bevor vor перед прежде',
  after: '之后 以后 後に 후에 despues depois apres nachdem danach dopo после',
  when: '每当 的时候 場合 たびに 할때 cuando quando lorsque quand wenn sobald когда',
  any: '任何 任意 いかなる 어떤 cualquier* qualquer qualsiasi jede jeder jedes jedem jeden любой любого любым любую',
  every: '每个 每次 毎回 各 cada chaque каждый каждого каждую каждом ogni',
  all: `所有 全部 一切 すべて 全て 모두 모든 todas todos toda todo tous toutes toute alle allen aller tutti tutte все всех всю
    всем`,
  other:
    '其他 其它 別の 他の 다른 otra otras otro otros outra outras outro outros autre autres andere* другой другого другие других altri altro altra',
  tool: '工具 ツール 도구 herramienta* ferramenta* outil outils werkzeug* инструмент* strument*',
  server: '服务器 サーバ 서버 servidor* serveur* сервер*',
  call: '调用 呼び出 호출 llamar* llame llama invoca* chamar* chame appele* appelle* aufruf* aufgerufen aufzurufen вызов* вызва* chiama*',
  use: '使用 用いる 사용 utiliza* usar usando use utilise* verwend* benutz* использ* usare usa',
  'the user':
    '用户 ユーザー 利用者 使用者 사용자 usuario* utilisateur* nutzer* benutzer* anwender* пользовател* utente utenti',
  read: '读取 阅读 読み取 読み込 読ん 읽 leer lea leido ler leia lire lisez lesen gelesen lies liest прочита* читай читать leggere leggi',
  open: '打开 開く 開い 열 abrir abre abra ouvrir ouvrez offne offnen открой* откры* aprire apri',
  file: '文件 ファイル 파일 archivo* fichero* arquivo* fichier* datei dateien файл*',
  content: '内容 내용 contenido* conteudo* contenu inhalt* содержимо* contenuto*',
  pass: '传递 传入 提供 渡す 渡し 渡して 전달 pasar pase pasa passe passar transmettre transmettez ubergeben ubergib ubergebe uberreich* передай* передат* passare passa',
  send: '发送 发到 发给 寄给 送信 送って 送る 보내 전송 enviar envia envie envies envoyer envoyez senden sende gesendet schick* отправ* пошли inviare invia',
  forward: '转发 転送 reenvi* encaminh* weiterleit* weitergeleitet перешли* пересыл* inoltra*',
  upload: '上传 アップロード 업로드 sube subir carregue hochlad* hochgeladen загруз* carica',
  ignore:
    '忽略 无视 無視 무시 ignora ignore ignorar ignorez ignorer ignoriere* ignorieren omite omita olvida* esqueca* oubliez vergiss missachte* игнорир* забудь dimentica*',
  previous:
    '之前的 先前的 以前的 以前の これまでの 先前 이전 anterior* previa* previo* precedent* vorherig* bisherig* obig* предыдущ* прежн*',
  instructions:
    '指令 指示 说明 지시 instruccion* instrucoes instrucao consignes anweisung* instruktion* инструкци* указани* istruzion*',
  rules: '规则 规定 限制 規則 ルール 규칙 reglas regra regras regles regeln правил* regole restriccion*',
  'system prompt': '系统提示词 系统提示 システムプロンプト systemprompt',
  system: '系统 システム 시스템 sistema система* системн*',
  conversation:
    '对话 会话 聊天 会話 대화 conversacion conversa gesprach* unterhaltung беседа беседу переписк* разговор* диалог* conversazione',
  history: '记录 历史 履歴 기록 historial historico historique verlauf* gesprachsverlauf истори* cronologia',
  full: '完整 整个 全体 전체 completo completa completos complete entero entera inteira inteiro vollstandig* gesamt* ganzen полн* intera intero',
  secretly:
    '秘密地 偷偷 暗中 こっそり 密かに 몰래 secreto secretamente segredo heimlich verdeckt тайно скрытно segreto',
  silently: '静默 悄悄 默默 silenciosamente silencieusement stillschweigend unbemerkt незаметно',
  without: '无需 不用 不经 未经 せずに 없이 sin sem sans ohne без senza',
  notifying: '通知 告知 avisar avisarle avisa prevenir prevenu mitteilen уведомл* avvisare',
  'do not tell': '不要告诉 不要告知 请勿告知 别告诉 勿告 知らせない 伝えない 教えない 言わない 알리지 말하지',
  'do not': '不要 不得 请勿 不可 しないで ないで 마세요 말고 nao ne nicht не non',
  tell: '告诉 知らせ 伝え 알려 digas diga decir dire dites sagen sage говори* сообща* скажи* dica',
  password: '密码 パスワード 비밀번호 contrasena* senha senhas passwort* kennwort* пароль пароли пароля',
  credentials:
    '凭证 凭据 认证信息 資格情報 認証情報 자격증명 자격 credencial* credenciais identifiants zugangsdaten anmeldedaten учетны* credenziali',
  key: '密钥 秘钥 私钥 鍵 키를 clave claves llave chave chaves cle cles schlussel* ключ ключи ключа chiave chiavi',
  token: '令牌 トークン 토큰 токен*',
  private:
    '私有 隐私 私密 個人 개인 privado privada privados prive privee privat* личные личны* privato privati',
  account:
    '账户 账号 帐户 口座 アカウント 계좌 계정 cuenta cuentas conta contas compte konto счет счета conto',
  recipient:
    '收款人 收件人 接收人 受取人 宛先 수신자 수취인 destinatari* beneficiari* destinataire* empfanger* получател*',
  amount: '金额 金額 금액 importe monto valor montant betrag сумм* importo',
  'changed to':
    '改为 改成 更改 修改 替换 变更 変更 置き換え 변경 바꾸 cambiar* cambie sustitui* sustituya modificar modifique substituid* substituir remplacer remplace remplacez andern geandert ersetz* ersetzen измени* замен* sostituire sostituito',
  'regardless of':
    '无论 不管 不论 関わらず 問わず 関係なく 상관없이 independientemente independentemente quel unabhangig независимо indipendentemente',
  requested: '指定 要求 请求 요청 지정 solicitad* solicitou demande* eingabe запрос* указал richiest*',
  payment: '付款 支付 支払 결제 지불 pago pagos pagamento paiement zahlung* платеж*',
  transfer: '转账 汇款 振込 送金 송금 transferir transferencia uberweis* перевод* перевед* virement bonifico',
  audit: '审计 审核 監査 감사 auditoria prufung* проверк* аудит* revisione',
  security: '安全 セキュリティ 보안 seguridad seguranca securite sicherheit* безопасност* sicurezza',
  'ask for':
    '征得 请求 询问 取得 求め 확인받 pide pida pedir peca demandez demander fragen frage спросите спроси chiedi chiedere',
  'cannot be undone': '不可撤销 无法撤销 不可恢复 取り消せません 되돌릴',
  'for reasons of': '以便 为了 出于 ために 위해 motivos razones raisons grunden причин* соображени* motivi',
  parameter: '参数 引数 パラメータ 매개변수 인자 parametro* parametre* parametern параметр*',
  delete: '删除 削除 삭제 borra* elimina* apaga* exclua supprime* losch* geloscht удали* cancella*',
  execute:
    '执行 运行 実行 실행 ejecuta* ejecute executar executez executer ausfuhren ausgefuhrt выполни* запусти* esegui*',
  command: '命令 コマンド 명령 comando comandos commande befehl* команд* comandi',
  message: '消息 信息 メッセージ 메시지 mensaje* mensagem mensagens nachricht* сообщени* messaggi*',
  email: '邮件 电子邮件 電子メール メール 이메일 correo correos письмо письма',
  address: '地址 住所 アドレス 주소 direccion endereco adresse адрес* indirizzo',
  copy: '复制 副本 抄送 コピー 복사 copia copias copie kopie kopier* копи*',
  data: '数据 データ 데이터 datos dados donnees daten данны* dati',
  best: '最好 最佳 最高 最も優れ 최고 mejor melhor meilleur meilleure beste besten лучш* migliore',
  prefer: '优先 首选 優先 우선 prefiere prefiera prefira preferez bevorzug* предпочит* preferisci',
  'instead of': '而不是 代わり 대신 lugar vez lieu statt anstatt вместо invece',
  confirmation: '确认 確認 확인 confirmacion confirmacao bestatigung* подтвержд* conferma',
};

/** Small words that tell which sentences are written in a language with Latin letters. */
export const SMALL_WORDS = new Set(
  `el los las una un del al que para con por se su lo le les des une du est sur dans pour avec ou et der die das und ein eine
  einen ist mit auf von zu den dem dieses kein im wird um os uma dos ao nao com em da do na il gli della di per che nel e en y
  sin de la cuando antes ne pas`.split(/\s+/),
);
