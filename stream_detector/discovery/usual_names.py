"""Names that are usual for a part of a reading, in English and German; of a machine's state and drive in others, too."""

from __future__ import annotations

import re

_MACHINE = "sensor|device|asset|machine|equipment|maschine|anlage|gerät|geraet"
_ID = "id|name|key|no|nr|nummer|number|code|kennung|bezeichnung|kennzeichen"
_END = f"[ _-]?({_ID})?"
#: Names of machines without doubt, and those that may mean something else.
MACHINE = re.compile(f"({_MACHINE}){_END}", re.IGNORECASE)
#: Names of what names the object around it.
ID = re.compile(_ID, re.IGNORECASE)
SENSOR = re.compile(f"({_MACHINE}|entity|thing|unit|host|station|node|source){_END}|id", re.IGNORECASE)
TIME = re.compile(
    r"@?(event|source|server|sample)?[ _-]?"
    r"(time[ _-]?stamp|date[ _-]?time|ts|time|date|t|when|at|epoch"
    r"|(mess)?zeit(stempel|punkt)?|datum([ _-]?(uhr)?zeit)?|uhrzeit)"
    r"([ _-]?(ms|us|ns|utc))?",
    re.IGNORECASE,
)
DATE = re.compile(r"(date|day|datum|tag)", re.IGNORECASE)
CLOCK = re.compile(r"(time|clock|time[ _-]?of[ _-]?day|zeit|uhrzeit)", re.IGNORECASE)
NAME = re.compile(
    r"(tag|metric|point|signal|measurement|variable|channel|item|parameter|feature|field|property|quantity|name|topic"
    r"|messgröße|messgroesse|messstelle|kanal|größe|kennzahl)[ _-]?(id|name|path|key)?",
    re.IGNORECASE,
)
NAME_OR_ID = re.compile(f"({NAME.pattern})|id|n", re.IGNORECASE)
VALUE = re.compile(r"(value|val|v|reading|data|number|measured|payload|wert|messwert)", re.IGNORECASE)
#: Names of an object around one value, and of the value in it; what may stand beside it there.
MEASURED = re.compile(f"({VALUE.pattern})|messung|measurement|sample|messwert", re.IGNORECASE)
ACTUAL = re.compile(f"({VALUE.pattern})|ist([ _-]?wert)?|actual|current|betrag|amount", re.IGNORECASE)
BOUND = re.compile(r"(soll|min|max|low|high|limit|target|setpoint|grenz|decimals|precision|nachkomma).*|ll?|hh?", re.IGNORECASE)
#: Names of qualities without doubt, and those that may mean something else.
SURE_QUALITY = re.compile(r"(opc[ _-]?)?(quality|güte|guete|qualität|qualitaet)([ _-]?code)?", re.IGNORECASE)
QUALITY = re.compile(f"({SURE_QUALITY.pattern})|q|status([ _-]?code)?|(is[ _-]?)?good", re.IGNORECASE)
#: A name of a machine, or of a unit of measurement.
MAY_BE_UNIT = re.compile(f"unit{_END}", re.IGNORECASE)
#: Units of measurement. Those with a slash are by a time, or of known parts: brewery/p3 is a machine.
_QUANTITY = "[°µ]?[kMmµncd]?(bar|Pa|Wh?|VA?|A|Hz|m|g|t|s|Ohm|J|l|mol|N|Nm|rad|°?C|F|K|min|h|ft|in|lb|gal)[23²³]?"
MEASURED_IN = re.compile(
    rf"[°%µ].*|{_QUANTITY}|rpm|psi|kWh|([^\W\d]{{1,8}}[23²³]?|[1%])/(s|sec|min|h|hr|d|day|s[2²])|({_QUANTITY}|1)/\(?({_QUANTITY}\)?){{1,3}}",
    re.IGNORECASE,
)
#: Names of what numbers messages without doubt, and those that may count something else.
NUMBERS_MESSAGES = re.compile(
    r"seq(uence)?([ _-]?(no|nr|num|number|id))?|(msg|message|record|packet|telegramm?|paket|nachrichten)[ _-]?"
    r"(id|no|nr|num|number|nummer|seq|count(er)?|z(ä|ae)hler)"
    r"|offset|lfd[ _-]?nr|laufnummer|laufende[ _-]?nummer|nr|no|num|number|nummer|id|idx|index|sequenz([ _-]?(nr|nummer))?",
    re.IGNORECASE,
)
MAY_NUMBER = re.compile(r"counter|count|cnt|z(ä|ae)hler", re.IGNORECASE)
_MADE = "recipe|product|program(me)?|mode|rezept(ur)?|produkt|programm|sorte|artikel|betriebsart|modus"
_STATE = "state|status|stage|step|phase|zustand|betriebs?(art|modus|zustand)?|stufe|schritt"
_SET_POINT = "set_?points?|sp|soll|sollwert|target|cmd|command|reference|vorgabe"
#: Names of what a machine is set to make, with which its values change; and of all that it is set to, or tells of its state.
SETTING = re.compile(f"(.*[_. -])?({_MADE})([_. -].*)?", re.IGNORECASE)
SETTING_OR_STATE = re.compile(f"(.*[_. -])?({_MADE}|{_STATE}|{_SET_POINT})([_. -].*)?", re.IGNORECASE)
#: Words in names of features that say whether a machine runs; these and those below without accents, as words_of has them.
RUNS = re.compile(
    r"run(s|ning)?|on|active|operat(ing|ion|ional)|produc(ing|tion)|state|status|mode|stopped|idle|aktiv|an|ein(geschaltet)?"
    r"|betrieb(sart|szustand)?|lauf(t)?|laeuft|lief|zustand|produktion|produziert|stillstand|etat|marche|fonctionnement|actif"
    r"|arret|estado|marcha|funcionando|funcionamiento|activ[oa]|encendid[oa]|parad[oa]|stato|marcia|acces[oa]|attiv[oa]"
)
#: Words for how fast a machine turns, and for all that drives it: the current, power and torque that it takes, too.
TURNS = re.compile(
    r"speed|rpm|\w*drehzahl|(dreh|band|bahn)geschwindigkeit|vitesse|velocidad|giri|velocita|frequency|freq|\w*frequenz"
    r"|frequence|frecuencia|frequenza"
)
DRIVE = re.compile(
    rf"{TURNS.pattern}|amp(s|ere|eres|erage)?|current|\w*strom(aufnahme)?|courant|intensite|intensidad|corriente|corrente"
    r"|power|\w*leistung|puissance|potencia|potenza|torque|\w*drehmoment|coppia"
)
#: Words for what it does to the process, which a fault may take away while the machine works.
PROCESS = re.compile(
    r"pressure|\w*druck|vacuum|vakuum|pression|presion|pressione|[mk]?bar|kpa|psi|(in|out)?flow(rate)?|throughput|durchfluss"
    r"|durchsatz|\w*(volumen|massen|luft|gas|wasser|dampf|oel|ol|forder|foerder|zu|ab)strom|debit|caudal|flujo|portata"
    r"|temp(s|eratures?|eratura)?|\w*temperatur|level|(fu|fue)llstand|pegel|niveau|nivel|livello|humidity|humedad|humidite"
    r"|\w*feuchte|wind(speed|geschwindigkeit)?|vent|viento|vento"
)
#: Words for how a machine shakes, which has a speed of its own.
SHAKES = re.compile(r"vib\w*|schwing\w*|schnelle")
#: Units of what drives a machine, and of the process, as they stand in brackets behind a name.
TURNS_UNIT = re.compile(r"Hz|rpm|[1U]/min|min-1|min\^-1|min⁻¹|tr/min|r/min|giri/min", re.IGNORECASE)
DRIVE_UNIT = re.compile(rf"{TURNS_UNIT.pattern}|m?A|[kM]?W|kVA|Nm", re.IGNORECASE)
PROCESS_UNIT = re.compile(r"[mk]?bar|[kMh]?Pa|psi|°?[CF]|(N?m[3³]|l|kg|t|gal)/(h|s|min|d)|gpm|mm/s", re.IGNORECASE)
