"""Do the intervals of a posterior hold what they say?"""
