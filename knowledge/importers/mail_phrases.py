"""What mail programs and their users write around a message, in the languages met so far.

Each name is an alternation for a regular expression that ignores case.
"""


def _any(*phrases: str) -> str:
    return "|".join(phrases)


WROTE = _any(
    *("wrote", "writes", "schrieb", "schreibt", "a écrit", "écrit", "escribió", "ha scritto", "scrisse"),
    *("scrive", "escreveu", "schreef", r"skrev", r"napisał(?:\(a\)|a)?", "kirjoitti", "yazdı", "έγραψε"),
    *(r"написал(?:\(а\)|а)?", r"писал(?:\(а\)|а)?", "пишет", "写道", "寫道"),
)
"""The verb of an attribution line such as `On … wrote:`."""

FROM = _any(
    "From", "Von", "De", "Da", "Van", "Fra", "Från", "Od", "От", "差出人", "发件人", "寄件者", "Lähettäjä"
)
"""The first label of a printed mail header."""

FIELDS = _any(
    *("Sent", "Date", "To", "Cc", "Subject", "Reply-To", "Gesendet", "Datum", "An", "Betreff"),
    *(
        "Envoyé",
        "À",
        "Objet",
        "Enviado(?: el)?",
        "Fecha",
        "Para",
        "Asunto",
        "Inviato",
        "Data",
        "A",
        "Oggetto",
    ),
    *("Verzonden", "Aan", "Onderwerp", "Sendt", "Dato", "Til", "Emne", "Skickat", "Till", "Ämne"),
    *("Wysłano", "Do", "Temat", "Отправлено", "Дата", "Кому", "Тема"),
    *("送信日時", "宛先", "件名", "发送时间", "收件人", "主题"),
)
"""The other labels of a printed mail header."""

ORIGINAL = _any(
    *("original message", "original appointment", "ursprüngliche nachricht", "message d'origine"),
    *("mensaje original", "messaggio originale", "mensagem original", "oprindelig meddelelse"),
    *("ursprungligt meddelande", "oorspronkelijk bericht", "wiadomość oryginalna", "oryginalna wiadomość"),
    *("исходное сообщение", "opprinnelig melding"),
)
"""Between dashes, above quoted mail."""

FORWARDED = _any(
    *("forwarded message", "weitergeleitete nachricht", "message transféré", "mensaje reenviado"),
    *("messaggio inoltrato", "mensagem encaminhada", "doorgestuurd bericht", "vidarebefordrat meddelande"),
    *("videresendt meddelelse", "пересылаемое сообщение"),
)
"""Between dashes, above forwarded mail."""

FORWARD_BEGINS = _any(
    *("begin forwarded message", "start of forwarded message", "anfang der weitergeleiteten nachricht"),
    *("début du message réexpédié", "inicio del mensaje reenviado", "inizio messaggio inoltrato"),
)
"""A line by itself above forwarded mail."""

SENT_FROM = _any(
    *("Sent (?:from|with|via|using)", "Get Outlook for", "Gesendet (?:von|mit)", "Von meinem .* gesendet"),
    *("Diese Nachricht wurde von", "Envoyé (?:de|depuis)", "Enviado (?:desde|do|de)", "Inviato da"),
    *("Verzonden (?:vanaf|met|van)", "Sendt fra", "Skickat från", "Wysłane z", "Отправлено (?:с|из)"),
)
"""The beginning of the line that a device or a program adds."""

FORMAL_CLOSING = _any(
    *(
        r"(?:with |my |many )?(?:best |kind |warm |kindest |warmest )?(?:regards|wishes)",
        "thanks (?:&|and) regards",
    ),
    *("mit (?:freundlichen|besten|lieben|herzlichen) grüßen", "(?:viele|liebe|beste|schöne|herzliche) grüße"),
    *("mfg", "met vriendelijke groet(?:en)?", "mvh", "(?:med )?(?:vänlig|venlig) (?:hälsning(?:ar)?|hilsen)"),
    *(
        "(?:de )?bedste hilsner",
        "(?:mange )?hilsen",
        "hälsningar",
        "pozdrawiam",
        "z (?:poważaniem|powazaniem)",
    ),
    *("с уважением", "atenciosamente", "cordiali saluti", "cordialement"),
)
"""A farewell that is a signature even without a name below it."""

CLOSING = _any(
    *("best", "cheers", r"sincerely(?: yours)?", r"yours(?: \w+)?", "thanks(?: again| a lot| in advance)?"),
    *(
        "thank you",
        "many thanks",
        "lg",
        "vg",
        "gruß",
        "grüße",
        "lieben gruß",
        r"bien à (?:vous|toi)",
        "bises",
    ),
    *(
        "saludos(?: cordiales)?",
        "un saludo",
        "abrazos?",
        "saluti",
        "abraços?",
        "groet(?:en|jes)?",
        "kh",
        "vh",
    ),
    *("xoxo", "hugs"),
)
"""A farewell if a name or the like follows; words of the author otherwise."""
