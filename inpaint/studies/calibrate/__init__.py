"""Do the intervals of a posterior hold the truth as often as they state?"""
