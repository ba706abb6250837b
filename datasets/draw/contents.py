"""What the sample is made of: the wheel's photographs, and what stands in the drawn forms, pages
and maps.

Persons, firms and places in the drawn pictures are invented.
"""

CC0, PUBLIC, UNKNOWN = "CC0-1.0", "public domain", "no known copyright restrictions"

# file in the wheel, file in the sample, longest side, category, licence, credit, what it shows
PHOTOS = (
    (
        "astronaut.png",
        "astronaut.jpg",
        448,
        "photograph",
        PUBLIC,
        "NASA",
        "Eileen Collins in a space suit",
    ),
    ("camera.png", "camera.jpg", 448, "photograph", CC0, "Lav Varshney", "man with a camera, grey"),
    ("chelsea.png", "cat.jpg", 448, "photograph", CC0, "Stéfan van der Walt", "face of a cat"),
    (
        "clock_motion.png",
        "clock.jpg",
        400,
        "photograph",
        PUBLIC,
        "Stéfan van der Walt",
        "wall clock blurred by motion, grey",
    ),
    (
        "coffee.png",
        "coffee.jpg",
        512,
        "photograph",
        CC0,
        "Rachel Michetti",
        "cup of coffee on a table",
    ),
    ("rocket.jpg", "rocket.jpg", 512, "photograph", PUBLIC, "SpaceX", "Falcon 9 lifts off"),
    ("brick.png", "brick.jpg", 384, "texture", CC0, "CC0Textures, Bricks25", "brick wall, grey"),
    ("grass.png", "grass.jpg", 352, "texture", CC0, "linolafett", "grass from above, grey"),
    ("gravel.png", "gravel.jpg", 384, "texture", CC0, "CC0Textures, Gravel04", "gravel, grey"),
    (
        "cell.png",
        "cell.jpg",
        400,
        "science",
        CC0,
        "Paul Müller and others, 2018",
        "cell in saline, phase image, grey",
    ),
    (
        "coins.png",
        "coins.jpg",
        384,
        "science",
        UNKNOWN,
        "Brooklyn Museum",
        "Greek coins from Pompeii, grey",
    ),
    (
        "hubble_deep_field.jpg",
        "deep_field.jpg",
        512,
        "science",
        PUBLIC,
        "NASA",
        "galaxies, Hubble eXtreme Deep Field",
    ),
    (
        "ihc.png",
        "tissue.jpg",
        416,
        "science",
        UNKNOWN,
        "Center for Microscopy and Molecular Imaging",
        "stained tissue of the colon under the microscope",
    ),
    ("retina.jpg", "retina.jpg", 448, "science", CC0, "Mikael Häggström", "fundus of an eye"),
    (
        "horse.png",
        "horse.png",
        400,
        "low texture",
        CC0,
        "Andreas Preuss",
        "silhouette of a horse, black and white",
    ),
    (
        "text.png",
        "text.png",
        448,
        "document",
        PUBLIC,
        "Wikipedia, Corner.png",
        "handwriting seen at an angle, grey",
    ),
)

INVOICES = {
    "invoice_0417": {
        "number": "2024-0417",
        "date": "18 April 2024",
        "client": ["Orchard House School", "Physics department", "7 Mill Road"],
        "items": [
            ("Achromat 50 mm", 6, 42.50),
            ("Beam splitter cube", 2, 88.00),
            ("Lens tissue, box", 12, 3.20),
            ("Optical rail 60 cm", 3, 64.90),
            ("Rail carrier", 9, 11.75),
        ],
    },
    "invoice_0582": {
        "number": "2024-0582",
        "date": "2 Sept 2024",
        "client": ["Dr. Ines Valcourt", "Harbour Observatory", "Cape Street 31"],
        "items": [
            ("Parabolic mirror 150", 1, 329.00),
            ("Eyepiece 9 mm", 2, 75.40),
            ("Filter wheel", 1, 118.00),
            ("Solar film A4", 4, 21.90),
            ("Finder bracket", 1, 17.30),
            ("Dew shield", 2, 24.00),
            ("Collimation laser", 1, 56.80),
        ],
    },
}

# L. Carroll, Alice's Adventures in Wonderland (1865), public domain
PAGES = {
    "page_11": {
        "chapter": "Down the Rabbit-Hole",
        "folio": 11,
        "paragraphs": [
            "Alice was beginning to get very tired of sitting by her sister on the bank, and of"
            " having nothing to do: once or twice she had peeped into the book her sister was"
            " reading, but it had no pictures or conversations in it, “and what is the use of a"
            " book,” thought Alice, “without pictures or conversations?”",
            "So she was considering in her own mind (as well as she could, for the hot day made her"
            " feel very sleepy and stupid), whether the pleasure of making a daisy-chain would be"
            " worth the trouble of getting up and picking the daisies, when suddenly a White Rabbit"
            " with pink eyes ran close by her.",
            "There was nothing so very remarkable in that; nor did Alice think it so very much out"
            " of the way to hear the Rabbit say to itself, “Oh dear! Oh dear! I shall be late!”"
            " (when she thought it over afterwards, it occurred to her that she ought to have"
            " wondered at this, but at the time it all seemed quite natural); but when the Rabbit"
            " actually took a watch out of its waistcoat-pocket, and looked at it, and then hurried"
            " on, Alice started to her feet, for it flashed across her mind that she had never"
            " before seen a rabbit with either a waistcoat- pocket, or a watch to take out of it.",
        ],
    },
    "page_23": {
        "chapter": "The Pool of Tears",
        "folio": 23,
        "paragraphs": [
            "Curiouser and curiouser!” cried Alice (she was so much surprised, that for the moment"
            " she quite forgot how to speak good English); “now I’m opening out like the largest"
            " telescope that ever was! Good-bye, feet!” (for when she looked down at her feet, they"
            " seemed to be almost out of sight, they were getting so far off).",
            "“Oh, my poor little feet, I wonder who will put on your shoes and stockings for you"
            " now, dears? I’m sure I shan’t be able! I shall be a great deal too far off to trouble"
            " myself about you: you must manage the best way you can;—but I must be kind to them,”"
            " thought Alice, “or perhaps they won’t walk the way I want to go! Let me see: I’ll"
            " give them a new pair of boots every Christmas.”",
            "And she went on planning to herself how she would manage it. “They must go by the"
            " carrier,” she thought; “and how funny it’ll seem, sending presents to one’s own feet!"
            " And how odd the directions will look!”",
            "Just then her head struck against the roof of the hall: in fact she was now more than"
            " nine feet high, and she at once took up the little golden key and hurried off to the"
            " garden door. Poor Alice! It was as much as she could do, lying down on one side, to"
            " look through into the garden with one eye.",
        ],
    },
}

METROS = {
    "metro_norwell": {
        "title": "Norwell Metro",
        "lines": [
            [(1, 4), (5, 4), (9, 8), (15, 8)],
            [(5, 2.6), (5, 9), (7, 11), (13, 11)],
            [(1.2, 11.5), (3, 11.5), (9.5, 5), (13, 5), (15, 3)],
            [(12, 2.7), (12, 9), (10, 11)],
        ],
        "river": [(-1, 8.2), (3, 7.4), (7.6, 11.9), (11, 8.9), (17, 10)],
        "stations": [
            (1, 4, "Westgate", "b"),
            (3, 4, "Mill Park", "a"),
            (5, 4, "Castle", "r"),
            (6.4, 5.4, "Guildhall", "r"),
            (7.75, 6.75, "Central", "l"),
            (10.4, 8, "Quays", "b"),
            (12, 8, "Arena", "ne"),
            (15, 8, "Airport", "b"),
            (5, 2.6, "Abbey", "r"),
            (5, 6, "Brook Street", "l"),
            (5, 7.8, "Locks", "l"),
            (5.25, 9.25, "Old Bridge", "r"),
            (8.2, 11, "Tannery", "b"),
            (10, 11, "Ferry Pier", "b"),
            (13, 11, "Saltmarsh", "b"),
            (1.2, 11.5, "Fairfield", "a"),
            (3.5, 11, "Kilns", "r"),
            (10.4, 5, "Museum", "a"),
            (12, 5, "North Cross", "se"),
            (15, 3, "University", "a"),
            (12, 2.7, "Zoo", "r"),
            (12, 6.5, "Market", "r"),
        ],
    },
    "metro_estrava": {
        "title": "Estrava Metro",
        "lines": [
            [(1, 9), (4, 9), (8, 5), (8, 2.5)],
            [(1, 4), (6, 4), (10, 8), (15, 8)],
            [(3, 2.6), (3, 6), (7.5, 10.5), (15, 10.5)],
            [(15, 3), (13, 3), (12, 4), (12, 12)],
        ],
        "river": [(9.6, -1), (10, 5.6), (5.5, 9.9), (5, 14)],
        "stations": [
            (1, 9, "Harbour", "b"),
            (3, 9, "Docks", "b"),
            (5, 8, "Cathedral", "r"),
            (7.5, 5.5, "Republic", "r"),
            (8, 3.6, "Opera", "r"),
            (8, 2.5, "Hilltop", "r"),
            (1, 4, "Vineyards", "b"),
            (3, 4, "Mint", "ne"),
            (5.2, 4, "Theatre", "a"),
            (9, 7, "Island", "l"),
            (10.5, 8, "Glassworks", "b"),
            (12, 8, "Station Square", "ne"),
            (15, 8, "Stadium", "b"),
            (3, 2.6, "Forest", "r"),
            (3, 6, "Old Town", "l"),
            (6.4, 9.4, "Bridge", "r"),
            (9, 10.5, "Library", "b"),
            (12, 10.5, "Mills", "ne"),
            (15, 10.5, "Airfield", "b"),
            (15, 3, "Lakes", "b"),
            (12, 5.5, "Gardens", "r"),
            (12, 12, "Coast", "r"),
        ],
    },
}
